import * as tf from '@tensorflow/tfjs-core';
import { gatherRows } from '../gather.js';
import { saver } from './kernel.js';

/** Sums of values [n] by their int32 places [n] among `size` → [size]. The gradient is a gather. */
export function scatterSum(values: tf.Tensor, places: tf.Tensor, size: number): tf.Tensor1D {
  const n = values.size;
  const op = tf.customGrad((x, save) => {
    saver(save)([places]);
    return {
      value: tf.scatterND(tf.reshape(places, [n, 1]), x as tf.Tensor, [size]),
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) => gatherRows(dy as tf.Tensor, saved[0]!),
    };
  });
  return op(values) as tf.Tensor1D;
}
