import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../../compute/parameters.js';
import type { Random } from '../../../random.js';
import { normal } from '../../initial.js';
import { newestPlaces } from '../../select.js';

/** Bucket b holds the differences from 2ᵇ − 1 to 2ᵇ⁺¹ − 2 seconds; the last one begins at 68 years. */
const BUCKETS = 32;

/** One scalar a bucket of time differences and head (HSTU: Zhai et al. 2024). */
export function initRelativeTime(into: ParameterInits, name: string, heads: number, rng: Random): void {
  into.set(`${name}.time`, normal(rng, [BUCKETS, heads], 0.02));
}

/** Times [B, L] in seconds → the bucket of each two events, int32 [B, L, L]: ⌊log₂(1 + |tᵢ − tⱼ|)⌋. */
export function timeBuckets(times: tf.Tensor2D): tf.Tensor3D {
  const between = tf.sub(tf.expandDims(times, 2), tf.expandDims(times, 1));
  const seconds = tf.abs(tf.cast(between, 'float32'));
  // A power of 2 must not fall below itself by rounding; a difference just below one may count as it.
  const logarithm = tf.add(tf.div(tf.log(tf.add(seconds, 1)), Math.LN2), 1e-4);
  return tf.cast(tf.minimum(logarithm, BUCKETS - 1), 'int32') as tf.Tensor3D;
}

/** What is added to the logits of the last R positions [B, heads, R, L]: at (i, j) the scalar of the bucket of |tᵢ − tⱼ|. */
export function relativeTime(params: Params, name: string, buckets: tf.Tensor3D, rows: number): tf.Tensor4D {
  const last = newestPlaces(buckets, rows);
  return tf.transpose(params.lookup(`${name}.time`, last), [0, 3, 1, 2]) as tf.Tensor4D;
}
