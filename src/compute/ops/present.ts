import * as tf from '@tensorflow/tfjs-core';

/** 1 where there is something, 0 where an id is 0: padding, unknown, none. */
export function present<T extends tf.Tensor>(ids: T): T {
  return tf.cast(tf.notEqual(ids, 0), 'float32') as T;
}
