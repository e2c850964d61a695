import * as tf from '@tensorflow/tfjs-core';
import { logSumExp } from '../../../compute/ops/log-sum-exp.js';
import { ownLogits } from '../../../compute/ops/own-logits.js';
import { present } from '../../../compute/ops/present.js';
import { softmaxLoss } from '../../../compute/ops/softmax-loss.js';
import { shares, weightedMean } from '../reduce.js';
import { type DistillationContext, logitsOf, partsOf, restOf, sharesOf } from './teacher.js';

/** Over which items student and teacher are compared. */
export const SOFT_CANDIDATES = ['all', 'sampled', 'union'] as const;
export type SoftCandidates = (typeof SOFT_CANDIDATES)[number];

export interface SoftOptions {
  readonly temperature: number;
  readonly candidates: SoftCandidates;
  /** union: how many of the student's own best items are compared besides. */
  readonly studentTop: number;
}

/**
 * Soft labels (Hinton, Vinyals & Dean 2015): T² · the cross-entropy of softmax(student / T) to the teacher's distribution at T,
 * averaged over positions; its gradient is that of the Kullback–Leibler divergence. The T² keeps the gradient's size as T varies.
 *
 * - `all`: over the catalogue.
 * - `sampled`: over the teacher's best items and those drawn from its others, corrected for how they were drawn.
 * - `union`: over the teacher's best items and the student's own, which the teacher puts no trust in where it has others.
 */
export function softLabels(context: DistillationContext, options: SoftOptions): tf.Scalar {
  const { temperature } = options;
  const entropy = CROSS_ENTROPIES[options.candidates](context, options);
  return tf.mul(entropy, temperature * temperature) as tf.Scalar;
}

const CROSS_ENTROPIES = { all: overAll, sampled: overSampled, union: overUnion };

/** Σ_k q_k s_k of each position. */
const expected = (answers: DistillationContext['answers'], logits: tf.Tensor): tf.Tensor =>
  tf.sum(tf.mul(sharesOf(answers), logits), 1);

function overAll(context: DistillationContext, { temperature }: SoftOptions): tf.Tensor {
  const { model, params, states, inputs, answers, pass, all } = context;
  const { ids } = answers;
  const weights = inputs.weights!;
  if (!all) {
    const logits = tf.div(model.logits(params, states, 'all', pass), temperature) as tf.Tensor2D;
    const own = tf.div(model.logits(params, states, ids, pass), temperature);
    return weightedMean(tf.sub(logSumExp(logits), expected(answers, own)), weights);
  }
  const scaled = tf.div(states, temperature) as tf.Tensor2D;
  const candidates = {
    vectors: all.vectors,
    offset: tf.div(all.offset, temperature) as tf.Tensor1D,
  };
  const own = ownLogits(scaled, candidates, ids);
  // The softmax loss of the teacher's best item, and what other shares make of it.
  const [n] = ids.shape;
  const rows = tf.squeeze(tf.slice(ids, [0, 0], [n, 1]), [1]) as tf.Tensor1D;
  const best = tf.squeeze(tf.slice(own, [0, 0], [n, 1]), [1]);
  const share = shares(weights);
  const loss = softmaxLoss({ states: scaled, candidates, targets: { rows }, weights: share });
  return tf.add(loss, tf.sum(tf.mul(share, tf.sub(best, expected(answers, own)))));
}

function overSampled(context: DistillationContext, { temperature }: SoftOptions): tf.Tensor {
  const { answers, inputs } = context;
  const { ids } = answers;
  const own = tf.div(logitsOf(context, ids), temperature) as tf.Tensor2D;
  const { best, drawn } = partsOf(answers);
  // Each drawn item stands for rest / (T p) like it.
  const likelihood = tf.maximum(drawn, 1e-12);
  const standsFor = tf.div(restOf(best, likelihood), tf.mul(likelihood, drawn.shape[1]));
  const correction = tf.concat([tf.zerosLike(best), tf.log(standsFor)], 1);
  const absent = tf.mul(tf.sub(1, present(ids)), -1e9);
  const corrected = tf.add(tf.add(own, correction), absent) as tf.Tensor2D;
  return weightedMean(tf.sub(logSumExp(corrected), expected(answers, own)), inputs.weights!);
}

function overUnion(context: DistillationContext, { temperature, studentTop }: SoftOptions): tf.Tensor {
  const { model, params, states, inputs, answers, pass } = context;
  const [n] = answers.ids.shape;
  const { top } = answers;
  const best = {
    ids: tf.slice(answers.ids, [0, 0], [n, top]) as tf.Tensor2D,
    probabilities: partsOf(answers).best,
    top,
  };
  const mine = withoutGradient(() => {
    const logits = model.logits(params, states, 'all', pass);
    return tf.cast(tf.topk(logits, Math.min(studentTop, logits.shape[1] - 1), false).indices, 'int32');
  }) as tf.Tensor2D;
  const both = tf.max(tf.cast(tf.equal(tf.expandDims(mine, 2), tf.expandDims(best.ids, 1)), 'float32'), 2);
  const ids = tf.concat([best.ids, mine], 1) as tf.Tensor2D;
  const logits = tf.div(logitsOf(context, ids), temperature);
  const absent = tf.concat([tf.sub(1, present(best.ids)), both], 1);
  const compared = tf.add(logits, tf.mul(absent, -1e9)) as tf.Tensor2D;
  const ofTeacher = tf.slice(logits, [0, 0], [n, top]);
  return weightedMean(tf.sub(logSumExp(compared), expected(best, ofTeacher)), inputs.weights!);
}

/** A value that counts as given, whatever it is made of: what a custom gradient runs is not on the tape. */
function withoutGradient(work: () => tf.Tensor): tf.Tensor {
  return tf.customGrad(() => ({ value: work(), gradFunc: () => [tf.zeros([])] }))(tf.scalar(0));
}
