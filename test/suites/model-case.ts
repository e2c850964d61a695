import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import { ParameterStore, type Params } from '../../src/compute/parameters.js';
import type { Encoded } from '../../src/model/model.js';
import { createModel, type ModelConfig } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { valuesOf } from './assertions.js';
import { withNoise } from './fixtures.js';
import { CATALOGUE } from './gradients.js';

export interface ModelCase {
  readonly label: string;
  readonly config: ModelConfig;
  /** Whether a user's history changes the scores, and whether the user's index does. */
  readonly readsHistory: boolean;
  readonly readsUser: boolean;
  /** Steps it takes to learn the checkerboard; default 40. */
  readonly steps?: number;
  /** True where the gradient is meant to leave something out (first-order meta-learning). */
  readonly approximate?: boolean;
  /** False where steps cannot teach it the whole checkerboard. */
  readonly learns?: false;
}

/** A case's model with noisy parameters, and ways to ask it. */
export function subjectOf({ config }: Pick<ModelCase, 'config'>) {
  const model = createModel(config, CATALOGUE);
  const inits = withNoise(model.init(new Random(7)), 11);

  /** Runs `work` with the model's parameters on the backend. */
  const using = async (
    work: (params: Params, store: ParameterStore) => void | Promise<void>,
  ): Promise<void> => {
    const store = new ParameterStore(inits, model.constants());
    try {
      await work(store.reader(), store);
    } finally {
      store.dispose();
    }
  };
  /** Further and further back from the newest, in seconds. */
  const ages = (items: number[][]): number[][] =>
    items.map((row) => row.map((_, t) => -40 * (row.length - 1 - t) ** 3));
  const rated = (items: number[][]): number[][] =>
    items.map((row) => row.map((i) => (i === 0 ? 0 : ((i * 7) % 5) - 2)));
  const encode = (
    params: Params,
    users: number[],
    items: number[][],
    times = ages(items),
    values = rated(items),
    pass = INFERENCE,
  ): Encoded =>
    model.encode(
      params,
      {
        users: tf.tensor1d(users, 'int32'),
        items: tf.tensor2d(items, undefined, 'int32'),
        behaviours: tf.tensor2d(
          items.map((row) => row.map((i) => (i === 0 ? 0 : 1 + (i % 2)))),
          undefined,
          'int32',
        ),
        ...(model.readsTimes ? { times: tf.tensor2d(times, undefined, 'int32') } : {}),
        ...(model.readsValues ? { values: tf.tensor2d(values) } : {}),
        ...(model.readsAsked
          ? {
              asked: tf.tensor2d(
                items.map((row) => row.map((i) => i % 3)),
                undefined,
                'int32',
              ),
            }
          : {}),
      },
      pass,
    );
  const states = (params: Params, users: number[], items: number[][]): Float32Array =>
    valuesOf(() => encode(params, users, items).states);
  return { model, inits, using, encode, states, ages, rated };
}
export type Subject = ReturnType<typeof subjectOf>;
