import { mkdir } from 'node:fs/promises';
import type { ParameterInits } from '../../src/compute/parameters.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { writeCheckpoint } from '../../src/storage/checkpoint.js';
import type { Catalogue, HostTensor } from '../../src/types.js';
import { catalogue } from './fixtures.js';

/**
 * Writes a checkpoint of an untrained linear model of 40 items into `dir`.
 * @param trained the config it says to have been trained with
 * @param model another one, what it knows, and what becomes of its first weights
 */
export async function writeTinyCheckpoint(
  dir: string,
  seed = 1,
  trained: object = {},
  {
    model = { name: 'linear', width: 8, length: 10 },
    known = catalogue(5, 40),
    change,
  }: { model?: object; known?: Catalogue; change?: (inits: ParameterInits) => void } = {},
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const config = modelSchema.parse(model);
  const inits = createModel(config, known).init(new Random(seed));
  change?.(inits);
  const tensors = new Map(
    [...inits].map(([name, { shape, data }]): [string, HostTensor] => [name, { dtype: 'F32', shape, data }]),
  );
  await writeCheckpoint(dir, {
    manifest: {
      stage: 'distill',
      model: { name: config.name, config },
      seed,
      metrics: {},
      dataset: { path: '/data', fingerprint: 'f', testSetHash: 't' },
      lineage: [],
      compute: { backend: 'cpu', device: 'cpu', threads: 1, machine: 'test' },
    },
    config: trained,
    tensors,
    catalogue: known,
    trainedEvents: BigUint64Array.of(5n, 9n),
  });
}
