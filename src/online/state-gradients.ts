import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import { logSumExp } from '../compute/ops/log-sum-exp.js';
import type { Params } from '../compute/parameters.js';
import { single } from '../model/losses/reduce.js';
import type { Model } from '../model/model.js';
import type { Tempered } from './learner.js';

/**
 * Gradient of −log p(item) with respect to the state it is foretold from, p the softmax of the model's logits of the items known.
 * @returns of states [n × width] with one item and a number of rows that are known each, and what is added to their logits, gradients [n × width]
 */
export function stateGradients(model: Model, params: Params) {
  return async (
    states: Float32Array,
    items: Int32Array,
    known: Int32Array,
    { scale, added }: Tempered = { scale: 1 },
  ): Promise<Float32Array> => {
    const gradients = tf.tidy(() => {
      const loss = (given: tf.Tensor): tf.Scalar => {
        const logits = (of: tf.Tensor | 'all') => {
          const own = model.logits(params, given as tf.Tensor2D, of, INFERENCE);
          return scale === 1 ? own : (tf.mul(own, scale) as tf.Tensor2D);
        };
        const own = logits('all');
        const all = added ? tf.add(own, tf.tensor(added, own.shape)) : own;
        const [rows, columns] = all.shape as [number, number];
        const row = tf.range(1, columns, 1, 'int32');
        const open = tf.less(tf.expandDims(row, 0), tf.expandDims(tf.tensor1d(known, 'int32'), 1));
        const logitsOf = tf.slice(all, [0, 1], [rows, columns - 1]);
        const total = logSumExp(tf.where(open, logitsOf, tf.fill(logitsOf.shape, -1e9)) as tf.Tensor2D);
        return tf.sum(tf.sub(total, single(logits, tf.tensor1d(items, 'int32')))) as tf.Scalar;
      };
      return tf.grad(loss)(tf.tensor2d(states, [items.length, model.width]));
    });
    const values = (await gradients.data()) as Float32Array;
    gradients.dispose();
    return values;
  };
}
