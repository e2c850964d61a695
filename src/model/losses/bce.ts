import * as tf from '@tensorflow/tfjs-core';
import { saver } from '../../compute/ops/kernel.js';
import type { Loss } from './loss.js';
import { single, weightedMean } from './reduce.js';

/**
 * Binary cross-entropy from logits, stable: max(x, 0) − x·y + log(1 + exp(−|x|)), elementwise. Its gradient is σ(x) − y,
 * given in closed form: composed from the terms, tfjs's gradients of max and |x| are wrong at x = 0. None flows to labels.
 */
export function binaryCrossEntropy(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const op = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    saver(save)([x, labels]);
    return {
      value: tf.add(tf.sub(tf.relu(x), tf.mul(x, labels)), tf.softplus(tf.neg(tf.abs(x)))),
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        tf.mul(dy as tf.Tensor, tf.sub(tf.sigmoid(saved[0]!), saved[1]!)),
    };
  });
  return op(logits);
}

/**
 * Binary cross-entropy: of each pair's 0/1 label (label task), or of the next item against its own uniform negatives
 * (next-item task; SASRec's loss with one negative).
 */
export const bce: Loss = {
  tasks: { 'next-item': ['ownNegatives'], label: ['labels'] },
  readsCatalogue: false,
  compute({ model, params, states, inputs, pass }) {
    const target = single((c) => model.logits(params, states, c, pass), inputs.targets!);
    if (inputs.labels) return weightedMean(binaryCrossEntropy(target, inputs.labels), inputs.weights!);
    const negative = model.logits(params, states, inputs.negatives!, pass);
    const positivePart = binaryCrossEntropy(target, tf.onesLike(target));
    const negativePart = tf.mean(binaryCrossEntropy(negative, tf.zerosLike(negative)), 1);
    return weightedMean(tf.add(positivePart, negativePart), inputs.weights!);
  },
};
