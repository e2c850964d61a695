import * as tf from '@tensorflow/tfjs-core';

/** SiLU (Elfwing, Uchibe & Doya 2018): x σ(x), elementwise. */
export function silu<T extends tf.Tensor>(x: T): T {
  return tf.mul(x, tf.sigmoid(x));
}
