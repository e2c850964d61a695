import { mkdir } from 'node:fs/promises';
import { createModel, type ModelConfig } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { writeCheckpoint } from '../../src/storage/checkpoint.js';
import type { Catalogue, FeatureTable, HostTensor } from '../../src/types.js';

/** Users and items without attributes. */
function madeUp(items: number): Catalogue {
  const features = (rows: number): FeatureTable => ({
    ...{ rows, width: 0, tokens: new Int32Array(0), tokenNames: [''] },
    ...{ numbers: new Float32Array(0), numberNames: [] },
  });
  const ids = Array.from({ length: items + 1 }, (_, i) => (i === 0 ? '' : `i${i}`));
  return {
    ...{ users: ['', 'u1'], items: ids, behaviours: ['view'], titles: ids.map((id) => `Title of ${id}`) },
    ...{ itemFeatures: features(items + 1), userFeatures: features(2) },
    itemCounts: Float32Array.from(ids, (_, i) => (i === 0 ? 0 : 1000 / i)),
  };
}

/** Writes a checkpoint of an untrained model, of a catalogue or of so many made-up items: what the weights are changes no time. */
export async function writeUntrained(
  dir: string,
  config: ModelConfig,
  items: number | Catalogue,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const catalogue = typeof items === 'number' ? madeUp(items) : items;
  const inits = createModel(config, catalogue).init(new Random(1));
  await writeCheckpoint(dir, {
    manifest: {
      stage: 'distill',
      model: { name: config.name, config },
      seed: 1,
      metrics: {},
      dataset: { path: '/data', fingerprint: 'made up', testSetHash: 'none' },
      lineage: [],
      compute: { backend: 'cpu', device: 'cpu', threads: 1, machine: 'none' },
    },
    config: {},
    tensors: new Map(
      [...inits].map(([name, { shape, data }]): [string, HostTensor] => [
        name,
        { dtype: 'F32', shape, data },
      ]),
    ),
    catalogue,
    trainedEvents: new BigUint64Array(0),
  });
}
