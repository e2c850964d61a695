import * as tf from '@tensorflow/tfjs-core';
import { binaryCrossEntropy } from './bce.js';
import type { Loss } from './loss.js';
import { single, weightedMean } from './reduce.js';

/**
 * Generalised binary cross-entropy (gSASRec: Petrov & Macdonald 2023): −(log σ(s_y)^β + Σ log(1 − σ(s_n))) / (K + 1) over K
 * uniform negatives; one that is the position's own target counts 0. A power β below 1 makes up for the negatives that were not
 * drawn: without it every probability comes out too high.
 *
 * The probability of an item is σ(logit + log(β / K)): logits of 0 are what the loss wants before anything is known (as the prior of
 * RetinaNet: Lin et al. 2017). From probabilities of ½ all logits would first fall by as much, together, and the states that
 * learn this are so alike that they take thousands of steps to part again.
 */
export const gbce: Loss = {
  tasks: { 'next-item': ['groupedNegatives', 'power'] },
  readsCatalogue: false,
  compute({ model, params, states, inputs, pass }) {
    const drawn = inputs.negatives as tf.Tensor2D;
    const ids = inputs.targets as tf.Tensor1D;
    const power = inputs.power!;
    const [groups, count] = drawn.shape;
    const prior = tf.log(tf.div(power, count));
    const positives = tf.add(
      single((c) => model.logits(params, states, c, pass), ids),
      prior,
    );
    const size = Math.ceil(ids.size / groups);
    const negativeParts: tf.Tensor[] = [];
    for (let start = 0, g = 0; start < ids.size; start += size, g++) {
      const rows = Math.min(size, ids.size - start);
      const among = tf.squeeze(tf.slice(drawn, [g, 0], [1, count]), [0]) as tf.Tensor1D;
      const own = tf.slice(states, [start, 0], [rows, states.shape[1]]);
      const negatives = tf.add(model.logits(params, own, among, pass), prior);
      const others = tf.notEqual(tf.expandDims(tf.slice(ids, start, rows), 1), tf.expandDims(among, 0));
      const losses = tf.mul(
        binaryCrossEntropy(negatives, tf.zerosLike(negatives)),
        tf.cast(others, 'float32'),
      );
      negativeParts.push(tf.sum(losses, 1));
    }
    const positivePart = tf.mul(binaryCrossEntropy(positives, tf.onesLike(positives)), power);
    const negativePart = tf.concat(negativeParts);
    return weightedMean(tf.div(tf.add(positivePart, negativePart), count + 1), inputs.weights!);
  },
};
