import { describe } from 'node:test';
import type { BackendName } from '../../src/compute/backend.js';
import { compressionContract } from './compression.js';
import { exportContract } from './export.js';
import { CATALOGUE } from './gradients.js';
import { type ModelCase, subjectOf } from './model-case.js';
import { scoringContract } from './model-scoring.js';
import { statesContract } from './model-states.js';
import { trainingContract } from './model-training.js';

export type { ModelCase };

/** The contract of every model: what it must compute, keep, give back and learn. */
export function modelContract(backend: BackendName, one: ModelCase): void {
  describe(one.label, () => {
    const subject = subjectOf(one);
    const { config } = one;
    statesContract(subject, one);
    scoringContract(subject, one);
    exportContract(backend, { ...subject, config, catalogue: CATALOGUE }, one);
    trainingContract(backend, subject, one);
    compressionContract(config);
  });
}
