import type { RestoredModel } from '../model/restore.js';
import type { OnlineLearner } from './learner.js';
import { type LearnerOptions, modelLearner } from './model-learner.js';
import { plainLearner } from './plain/learner.js';
import type { LearningConfig } from './schema.js';

/** The learner of what is served: over arrays where the model is written out so and is served as it is, else by tensors. */
export function serveLearner(
  restored: RestoredModel,
  config: LearningConfig,
  seed: number,
  options: LearnerOptions,
): OnlineLearner {
  const { model } = restored;
  const { adapters, scoring } = options;
  const asItIs = (adapters?.size ?? 0) === 0 && (scoring ?? model) === model;
  const { plain } = model;
  if (!plain || !asItIs) return modelLearner(restored, config, seed, options);
  return plainLearner({ ...restored, model: { ...model, plain } }, config, seed, options);
}
