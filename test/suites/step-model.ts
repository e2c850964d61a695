import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits } from '../../src/compute/parameters.js';
import type { Batch, StepOptions } from '../../src/compute/step.js';
import { Random } from '../../src/random.js';

const ROWS = 6;
export const WIDTH = 3;

/** A table [6, 3] with a noisy padding row, a matrix [3, 3] and a bias [3]. */
export function inits(): ParameterInits {
  const rng = Random.of(2, 'step');
  const normal = (n: number): Float32Array => Float32Array.from({ length: n }, () => rng.normal());
  return new Map([
    ['table', { shape: [ROWS, WIDTH], data: normal(ROWS * WIDTH), table: true, grows: 'items' as const }],
    ['matrix', { shape: [WIDTH, WIDTH], data: normal(WIDTH * WIDTH), table: false }],
    ['bias', { shape: [WIDTH], data: normal(WIDTH), table: false }],
  ]);
}

/** Squared error of sums over two lookups of one table that share ids; the mean over the batch. */
export const squared: StepOptions['loss'] = (params, inputs, pass) => {
  const first = params.lookup('table', inputs.first!);
  const second = params.lookup('table', inputs.second!);
  const joined = tf.add(first, tf.mul(second, 0.5)) as tf.Tensor2D;
  const mapped = tf.add(tf.matMul(joined, params.get('matrix') as tf.Tensor2D), params.get('bias'));
  return tf.mean(tf.square(tf.sub(pass.dropout(mapped, 0), inputs.aim!))) as tf.Scalar;
};

export const dropped: StepOptions['loss'] = (params, inputs, pass) =>
  squared(params, inputs, { ...pass, dropout: (x) => pass.dropout(x, 0.5) });

export function batchOf(first: number[], second: number[], aim = 1): Batch {
  const i32 = (ids: number[]) => ({ dtype: 'I32' as const, shape: [ids.length], data: Int32Array.from(ids) });
  return {
    first: i32(first),
    second: i32(second),
    aim: { dtype: 'F32', shape: [], data: Float32Array.of(aim) },
  };
}

/** Ids twice in one lookup (2), in both lookups (2, 3) and padding (0). */
export const BATCH = batchOf([1, 2, 2, 0], [3, 2, 0, 3]);
export const OTHER = batchOf([4, 3, 1, 2], [1, 5, 2, 5]);
