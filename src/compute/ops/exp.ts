import * as tf from '@tensorflow/tfjs-core';
import { saver } from './kernel.js';

/** e^x whose gradient has the right gradient: that of tfjs's own takes the output it saved for a constant. */
export function exp<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((value, save) => {
    const own = value as tf.Tensor;
    saver(save)([own]);
    return {
      value: tf.exp(own),
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        tf.mul(dy as tf.Tensor, tf.exp(saved[0]!)),
    };
  })(x) as T;
}
