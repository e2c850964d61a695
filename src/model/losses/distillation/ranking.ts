import * as tf from '@tensorflow/tfjs-core';
import { present } from '../../../compute/ops/present.js';
import { weightedMean } from '../reduce.js';
import { type DistillationContext, logitsOf } from './teacher.js';

/**
 * Relaxed ranking distillation (DE-RRD: Kang et al. 2020): the student is to put the teacher's best items in the teacher's order and
 * above the items drawn from its others, whose order among themselves does not matter. Of each position
 * −(1/K) Σ_k log(exp(s_k) / (Σ_{i ≥ k} exp(s_i) + Σ_j exp(s_j))), i over the K best, j over those drawn.
 *
 * @param top K: at most as many as the answers hold
 */
export function rankingLoss(context: DistillationContext, top: number): tf.Scalar {
  const { answers, inputs } = context;
  const [n, count] = answers.ids.shape;
  const kept = Math.min(top, answers.top);
  const tail = count - answers.top;
  const ids = tf.concat(
    [tf.slice(answers.ids, [0, 0], [n, kept]), tf.slice(answers.ids, [0, answers.top], [n, tail])],
    1,
  ) as tf.Tensor2D;
  const there = present(ids);
  const logits = tf.add(logitsOf(context, ids), tf.mul(tf.sub(1, there), -1e9));
  const highest = tf.max(logits, 1, true);
  const scores = tf.exp(tf.sub(logits, highest));
  const best = tf.slice(scores, [0, 0], [n, kept]);
  const others = tf.sum(tf.slice(scores, [0, kept], [n, tail]), 1, true);
  const below = tf.add(tf.cumsum(best, 1, false, true), others);
  const own = tf.slice(tf.sub(logits, highest), [0, 0], [n, kept]);
  const real = tf.slice(there, [0, 0], [n, kept]);
  const each = tf.mul(tf.sub(tf.log(tf.maximum(below, 1e-30)), own), real);
  const mean = tf.div(tf.sum(each, 1), tf.maximum(tf.sum(real, 1), 1));
  return weightedMean(mean, inputs.weights!);
}
