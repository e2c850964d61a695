import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type CheckpointContent, writeCheckpoint } from '../../src/storage/checkpoint.js';
import type { Catalogue, TensorMap } from '../../src/types.js';
import { noFeatures } from '../suites/fixtures.js';

/** A folder that goes away with the test. */
export async function temporary(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'recsys-storage-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export const tinyCatalogue: Catalogue = {
  users: ['', 'u1', 'ü 2'],
  items: ['', 'a', 'b', 'line\nbreak "quoted"'],
  behaviours: ['click', 'purchase'],
  titles: ['', 'Alpha', '', '日本'],
  itemFeatures: {
    rows: 4,
    width: 2,
    tokens: Int32Array.of(0, 0, 1, 2, 1, 0, 2, 0),
    tokenNames: ['', 'genre=drama', 'genre=comedy'],
    numbers: Float32Array.of(0, -1, 0.5, 2),
    numberNames: ['price'],
  },
  userFeatures: noFeatures(3),
  itemCounts: Float32Array.of(0, 3, 2, 1),
};

export const tinyTensors: TensorMap = new Map([
  ['item.embedding', { dtype: 'F32', shape: [4, 2], data: Float32Array.of(0, 0, 0.5, -1, 2, 1e-20, -0, 3) }],
  ['bias', { dtype: 'F32', shape: [], data: Float32Array.of(7) }],
  ['mask', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 0, 255) }],
]);

export const tinyContent: CheckpointContent = {
  manifest: {
    stage: 'pretrain',
    seed: 42,
    metrics: { 'ndcg@10': 0.125 },
    model: { name: 'mlp', config: { width: 2 } },
    dataset: { path: 'data', name: 'tiny', fingerprint: 'f'.repeat(64), testSetHash: 'e'.repeat(64) },
    lineage: [],
    compute: { backend: 'cpu', device: 'cpu', threads: 1, machine: 'test' },
  },
  config: { model: 'mlp', epochs: 2, note: 'yes' },
  tensors: tinyTensors,
  catalogue: tinyCatalogue,
  trainedEvents: BigUint64Array.of(1n, 2n ** 63n),
};

export async function tinyCheckpoint(dir: string, content: Partial<CheckpointContent> = {}): Promise<string> {
  await writeCheckpoint(dir, { ...tinyContent, ...content });
  return dir;
}
