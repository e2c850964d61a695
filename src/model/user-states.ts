import type * as tf from '@tensorflow/tfjs-core';
import { compileFunction } from '../compute/compile.js';
import { INFERENCE } from '../compute/dropout.js';
import { ParameterStore } from '../compute/parameters.js';
import type { HostTensor, Query } from '../types.js';
import { sequencesOf } from './inputs.js';
import type { RestoredModel } from './restore.js';
import { fixedShape, packedBatch } from './scorer.js';
import { atLast } from './select.js';
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
  dispose(): void;
}

/** The adapter of a restored checkpoint, of any model. It holds the weights on the backend until disposed. */
export function modelAdapter({ model, inits }: RestoredModel): Adapter {
  const store = new ParameterStore(inits, model.constants());
  const frozen = countWeights(inits);
  const params = store.reader();
  const encoding = compileFunction(
    (inputs) => ({ states: atLast(model.encode(params, sequencesOf(inputs), INFERENCE).states) }),
    frozen,
  );
  const rating = compileFunction(
    ({ states, items }) => ({
      logits: model.logits(params, states as tf.Tensor2D, items!, INFERENCE),
    }),
    frozen,
  );
  return {
    width: model.width,
    async adapt(queries) {
      const { rows, steps } = fixedShape(queries, model.length);
      const outputs = await encoding.run(packedBatch(queries, model, rows, steps));
      return outputs.get('states')!.subarray(0, queries.length * model.width);
    },
    async rate(states, items, count) {
      const size = states.length / model.width;
      // Few shapes, each of which is recorded once.
      const rows = powerOf(4, size);
      const columns = powerOf(2, count);
      const wide = new Int32Array(rows * columns);
      for (let r = 0; r < size; r++) wide.set(items.subarray(r * count, (r + 1) * count), r * columns);
      const whole = new Float32Array(rows * model.width);
      whole.set(states);
      const given: Record<string, HostTensor> = {
        states: { dtype: 'F32', shape: [rows, model.width], data: whole },
        items: { dtype: 'I32', shape: [rows, columns], data: wide },
      };
      const logits = (await rating.run(given)).get('logits')!;
      const asked = new Float32Array(size * count);
      for (let r = 0; r < size; r++) asked.set(logits.subarray(r * columns, r * columns + count), r * count);
      return asked;
    },
    dispose() {
      encoding.dispose();
      rating.dispose();
      store.dispose();
    },
  };
}

/** The least power of the base that is no less than n. */
function powerOf(base: number, n: number): number {
  let power = 1;
  while (power < n) power *= base;
  return power;
}
