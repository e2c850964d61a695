import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer, OptimizerSettings } from './optimizer.js';

const START = 0.1;
const ROOT = Math.sqrt(START);

/**
 * FTRL-Proximal (McMahan et al. 2013, algorithm 1): Adagrad's steps, kept as a sum from which each weight is solved anew
 * under the penalties, so that `l1` holds weights at exactly 0.
 *
 * Two things differ from the paper. `linear` is multiplied by the learning rate as it goes, so that a schedule's change of
 * rate does not rescale weights learned before. And it starts where the weight solved from it is the initial one, not 0:
 * embeddings that all begin at 0 would never part.
 */
export function ftrl({ l1 = 0, l2 = 0 }: OptimizerSettings = {}): Optimizer {
  return {
    name: 'ftrl',
    settings: ['l1', 'l2'],
    slots: [
      { name: 'accumulator', fill: START },
      { name: 'linear', fill: (weight) => -ROOT * weight },
    ],
    rate: (learningRate) => learningRate,
    dense(parameter, gradient, [accumulator, linear], rate) {
      const sum = tf.add(accumulator!, tf.square(gradient));
      const root = tf.sqrt(sum);
      const grown = tf.mul(tf.sub(root, tf.sqrt(accumulator!)), parameter);
      const next = tf.sub(tf.add(linear!, tf.mul(gradient, rate)), grown);
      const threshold = tf.mul(rate, l1);
      // −sign(z) · max(|z| − threshold, 0)
      const beyond = tf.sub(tf.relu(tf.sub(tf.neg(next), threshold)), tf.relu(tf.sub(next, threshold)));
      return { parameter: tf.div(beyond, tf.add(root, tf.mul(rate, l2))), slots: [sum, next] };
    },
    row(parameter, offset, gradient, gradientOffset, length, slots, rate) {
      const accumulator = slots[0]!;
      const linear = slots[1]!;
      const threshold = rate * l1;
      for (let i = 0; i < length; i++) {
        const g = gradient[gradientOffset + i]!;
        const k = offset + i;
        const before = Math.sqrt(accumulator[k]!);
        accumulator[k] = accumulator[k]! + g * g;
        const root = Math.sqrt(accumulator[k]!);
        linear[k] = linear[k]! + rate * g - (root - before) * parameter[k]!;
        const beyond = Math.max(-linear[k]! - threshold, 0) - Math.max(linear[k]! - threshold, 0);
        parameter[k] = beyond / (root + rate * l2);
      }
    },
    // The kernel's penalty is l2 · w² where ours is ½ l2 · w²; −½ is the power of the accumulator in the rate.
    kernel: {
      op: 'ResourceApplyFtrl',
      inputs: ['gradient', 'rate', l1, l2 / 2, -0.5],
      flags: { multiply_linear_by_lr: true },
    },
  };
}
