import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../../compute/parameters.js';
import type { Random } from '../../../random.js';
import { normal } from '../../initial.js';

/** One scalar a distance and head (Shaw, Uszkoreit & Vaswani 2018, in the form of Raffel et al. 2020). */
export function initRelativePosition(
  into: ParameterInits,
  name: string,
  length: number,
  heads: number,
  rng: Random,
): void {
  into.set(`${name}.relative`, normal(rng, [length, heads], 0.02));
}

/** What is added to the logits of the last R of L positions [heads, R, L]: at (i, j) the scalar of distance |i − j|. */
export function relativePosition(params: Params, name: string, steps: number, rows: number): tf.Tensor3D {
  const last = distancesOf(steps).subarray((steps - rows) * steps);
  const distances = tf.tensor2d(last, [rows, steps], 'int32');
  return tf.transpose(params.lookup(`${name}.relative`, distances), [2, 0, 1]) as tf.Tensor3D;
}

/** [L, L]: |i − j|. */
function distancesOf(length: number): Int32Array {
  const out = new Int32Array(length * length);
  for (let i = 0; i < length; i++) for (let j = 0; j < length; j++) out[i * length + j] = Math.abs(i - j);
  return out;
}
