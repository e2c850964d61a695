import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import { logSumExp } from '../compute/ops/log-sum-exp.js';
import type { Params } from '../compute/parameters.js';
import { single } from '../model/losses/reduce.js';
import type { Model } from '../model/model.js';

/**
 * Gradient of −log p(item) with respect to the state it is foretold from, p the softmax of the model's logits of all items.
 * @returns of states [n × width] and one item each, gradients [n × width]
 */
export function stateGradients(model: Model, params: Params) {
  return async (states: Float32Array, items: Int32Array): Promise<Float32Array> => {
    const gradients = tf.tidy(() => {
      const loss = (given: tf.Tensor): tf.Scalar => {
        const logits = (of: tf.Tensor | 'all') => model.logits(params, given as tf.Tensor2D, of, INFERENCE);
        const all = logits('all');
        const [rows, columns] = all.shape as [number, number];
        const total = logSumExp(tf.slice(all, [0, 1], [rows, columns - 1]) as tf.Tensor2D);
        return tf.sum(tf.sub(total, single(logits, tf.tensor1d(items, 'int32')))) as tf.Scalar;
      };
      return tf.grad(loss)(tf.tensor2d(states, [items.length, model.width]));
    });
    const values = (await gradients.data()) as Float32Array;
    gradients.dispose();
    return values;
  };
}
