import * as tf from '@tensorflow/tfjs-core';
import { compileFunction } from '../compute/compile.js';
import { INFERENCE } from '../compute/dropout.js';
import { ParameterStore, type Params } from '../compute/parameters.js';
import type { HostTensor, Query } from '../types.js';
import { sequencesOf } from './inputs.js';
import type { Model } from './model.js';
import type { RestoredModel } from './restore.js';
import { chunkSize, fixedShape, packedBatch, queryInputs } from './scorer.js';
import { newestStates } from './select.js';
import { countWeights } from './weights.js';

/**
 * Adaptation as an operation: a user's events become a state, and a state says what it says of items. The state is all that is known of
 * the user, a row of numbers that can be stored and put back; the checkpoint stays as it is.
 */
export interface Adapter {
  /** How many numbers a state has. */
  readonly width: number;
  /** States after each history, [queries × width]. */
  adapt(queries: readonly Query[]): Promise<Float32Array>;
  /** Logits (or predicted values) of `count` items of its own for each state: items [states × count] → [states × count]. */
  rate(states: Float32Array, items: Int32Array, count: number): Promise<Float32Array>;
  /** Logits of all items for each state, [states × (items + 1)]; column 0 is meaningless. */
  rank(states: Float32Array): Promise<Float32Array>;
  dispose(): void;
}

/** The adapter of a restored checkpoint, of any model. It holds the weights on the backend until disposed. */
export function modelAdapter({ model, inits, catalogue }: RestoredModel): Adapter {
  const store = new ParameterStore(inits, model.constants());
  const frozen = countWeights(inits);
  const params = store.reader();
  const encoding = compileFunction(
    (inputs) => ({ states: newestStates(model, params, sequencesOf(inputs)) }),
    frozen,
  );
  const rating = compileFunction(
    ({ states, items }) => ({
      logits: model.logits(params, states as tf.Tensor2D, items!, INFERENCE),
    }),
    frozen,
  );
  const ranking = compileFunction(
    ({ states }) => ({ logits: model.logits(params, states as tf.Tensor2D, 'all', INFERENCE) }),
    frozen,
  );
  const columns = catalogue.items.length;
  /** States in a number of rows that is a power of 4: few shapes, each of which is recorded once. */
  const inRows = (states: Float32Array): HostTensor => {
    const rows = powerOf(4, states.length / model.width);
    const whole = new Float32Array(rows * model.width);
    whole.set(states);
    return { dtype: 'F32', shape: [rows, model.width], data: whole };
  };
  const all = async (states: Float32Array): Promise<Float32Array> =>
    (await ranking.run({ states: inRows(states) })).get('logits')!;
  const atOnce = chunkSize(model, columns);
  return {
    width: model.width,
    async adapt(queries) {
      const { rows, steps } = fixedShape(queries, model.length);
      const outputs = await encoding.run(packedBatch(queries, model, rows, steps));
      return outputs.get('states')!.subarray(0, queries.length * model.width);
    },
    async rate(states, items, count) {
      const size = states.length / model.width;
      const given = inRows(states);
      const [rows, places] = [given.shape[0]!, powerOf(2, count)];
      const wide = new Int32Array(rows * places);
      for (let r = 0; r < size; r++) wide.set(items.subarray(r * count, (r + 1) * count), r * places);
      const asking: HostTensor = { dtype: 'I32', shape: [rows, places], data: wide };
      const logits = (await rating.run({ states: given, items: asking })).get('logits')!;
      const asked = new Float32Array(size * count);
      for (let r = 0; r < size; r++) asked.set(logits.subarray(r * places, r * places + count), r * count);
      return asked;
    },
    async rank(states) {
      const size = states.length / model.width;
      const ranked = new Float32Array(size * columns);
      for (let from = 0; from < size; from += atOnce) {
        const part = states.subarray(from * model.width, (from + atOnce) * model.width);
        const logits = await all(part);
        ranked.set(logits.subarray(0, (part.length / model.width) * columns), from * columns);
      }
      return ranked;
    },
    dispose() {
      encoding.dispose();
      rating.dispose();
      ranking.dispose();
      store.dispose();
    },
  };
}

/** Values of a tensor computed op by op; nothing of it is left behind. */
export async function valuesOf(compute: () => tf.Tensor): Promise<Float32Array> {
  const result = tf.tidy(compute);
  const values = (await result.data()) as Float32Array;
  result.dispose();
  return values;
}

/** The same over given parameters, op by op; the caller owns them. */
export function paramsAdapter(model: Model, params: Params): Pick<Adapter, 'width' | 'adapt' | 'rank'> {
  return {
    width: model.width,
    adapt: (queries) => valuesOf(() => newestStates(model, params, sequencesOf(queryInputs(queries, model)))),
    rank: (states) =>
      valuesOf(() =>
        model.logits(
          params,
          tf.tensor2d(states, [states.length / model.width, model.width]),
          'all',
          INFERENCE,
        ),
      ),
  };
}

/** The least power of the base that is no less than n. */
function powerOf(base: number, n: number): number {
  let power = 1;
  while (power < n) power *= base;
  return power;
}
