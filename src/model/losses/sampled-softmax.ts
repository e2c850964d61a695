import * as tf from '@tensorflow/tfjs-core';
import type { Loss } from './loss.js';
import { logSumExp, single, weightedMean } from './reduce.js';

/**
 * Softmax cross-entropy over the target and K uniform negatives shared by all positions (Jean et al. 2015). A negative
 * that is the position's own target is masked. Uniform sampling shifts every negative's logit by the same log(V / K), which
 * is added so that the loss estimates the full one.
 */
export const sampledSoftmax: Loss = {
  tasks: { 'next-item': ['sharedNegatives'] },
  readsCatalogue: false,
  compute({ model, params, states, inputs, pass }) {
    const negatives = inputs.negatives!;
    const targets = inputs.targets!;
    const logits = model.logits(params, states, negatives, pass);
    const same = tf.cast(tf.equal(tf.expandDims(targets, 1), tf.expandDims(negatives, 0)), 'float32');
    const shift = tf.add(tf.mul(same, -1e9), inputs.logSampling!);
    const target = single((c) => model.logits(params, states, c, pass), targets);
    const joined = tf.concat([tf.expandDims(target, 1), tf.add(logits, shift)], 1) as tf.Tensor2D;
    return weightedMean(tf.sub(logSumExp(joined), target), inputs.weights!);
  },
};
