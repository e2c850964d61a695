import * as tf from '@tensorflow/tfjs-core';
import { binaryCrossEntropy } from './bce.js';
import type { Loss } from './loss.js';
import { single, weightedMean } from './reduce.js';

/**
 * Generalised binary cross-entropy (gSASRec: Petrov & Macdonald 2023): −(log σ(s_y)^β + Σ log(1 − σ(s_n))) / (K + 1) over K
 * uniform negatives, here shared by all positions; one that is the position's own target counts 0. A power β below 1 makes up
 * for the negatives that were not drawn: without it every probability comes out too high.
 */
export const gbce: Loss = {
  tasks: { 'next-item': ['sharedNegatives', 'power'] },
  readsCatalogue: false,
  compute({ model, params, states, inputs, pass }) {
    const among = inputs.negatives as tf.Tensor1D;
    const ids = inputs.targets as tf.Tensor1D;
    const target = single((c) => model.logits(params, states, c, pass), ids);
    const negatives = model.logits(params, states, among, pass);
    const others = tf.cast(tf.notEqual(tf.expandDims(ids, 1), tf.expandDims(among, 0)), 'float32');
    const positivePart = tf.mul(binaryCrossEntropy(target, tf.onesLike(target)), inputs.power!);
    const negativePart = tf.sum(tf.mul(binaryCrossEntropy(negatives, tf.zerosLike(negatives)), others), 1);
    return weightedMean(tf.div(tf.add(positivePart, negativePart), among.size + 1), inputs.weights!);
  },
};
