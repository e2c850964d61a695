import * as tf from '@tensorflow/tfjs-core';

/** Vectors of the last axis at length 1; a zero vector stays one. */
export function unit<T extends tf.Tensor>(x: T): T {
  return tf.mul(x, tf.rsqrt(tf.add(tf.sum(tf.square(x), -1, true), 1e-8)));
}
