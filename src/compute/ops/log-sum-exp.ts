import * as tf from '@tensorflow/tfjs-core';
import { saver } from './kernel.js';

/**
 * log Σ exp over the last axis, [N, C] → [N], stable. Its gradient is the softmax, computed in one go from the saved
 * logits (composed from tfjs ops it would take three more passes over [N, C]).
 */
export function logSumExp(logits: tf.Tensor2D): tf.Tensor1D {
  const op = tf.customGrad((x, save) => {
    const z = x as tf.Tensor2D;
    const top = tf.max(z, 1, true);
    const value = tf.add(tf.log(tf.sum(tf.exp(tf.sub(z, top)), 1, true)), top);
    saver(save)([z, value]);
    return {
      value: tf.squeeze(value, [1]) as tf.Tensor,
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        tf.mul(tf.exp(tf.sub(saved[0]!, saved[1]!)), tf.expandDims(dy as tf.Tensor, 1)),
    };
  });
  return op(logits) as tf.Tensor1D;
}
