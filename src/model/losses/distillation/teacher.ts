import * as tf from '@tensorflow/tfjs-core';
import { ownLogits } from '../../../compute/ops/own-logits.js';
import { present } from '../../../compute/ops/present.js';
import type { DotCandidates } from '../../../compute/ops/softmax-loss.js';
import type { LossContext } from '../loss.js';

/** A teacher's answers at P positions: its K best items, best first, and T drawn from the others. */
export interface TeacherAnswers {
  /** [P, K + T]; 0 where there is none. */
  readonly ids: tf.Tensor2D;
  /** [P, K + T] the teacher's probability of each, at its temperature. */
  readonly probabilities: tf.Tensor2D;
  /** K. */
  readonly top: number;
}

/** What a distillation loss reads besides the labels. */
export interface DistillationContext extends LossContext {
  readonly answers: TeacherAnswers;
  /** The catalogue's vectors, of a model whose logit is a dot product and where they may be read whole. */
  readonly all: DotCandidates | undefined;
}

/** The student's logits of own candidates [P, C] → [P, C]. */
export function logitsOf({ model, params, states, pass, all }: DistillationContext, ids: tf.Tensor2D) {
  return all ? ownLogits(states, all, ids) : model.logits(params, states, ids, pass);
}

/** The probabilities of the best [P, K] and of those drawn [P, T]. */
export function partsOf({ probabilities, top }: TeacherAnswers): { best: tf.Tensor2D; drawn: tf.Tensor2D } {
  const [n, count] = probabilities.shape;
  return {
    best: tf.slice(probabilities, [0, 0], [n, top]),
    drawn: tf.slice(probabilities, [0, top], [n, count - top]),
  };
}

/**
 * The share of each item in the soft label [P, K + T]: of the best their probability, of each drawn one a T-th of what all others
 * have together, which makes a sum over them an unbiased estimate of the one over the catalogue. They sum to one.
 */
export function sharesOf(answers: TeacherAnswers): tf.Tensor2D {
  const { best, drawn } = partsOf(answers);
  const [, tail] = drawn.shape;
  const parts = tail > 0 ? tf.concat([best, tf.tile(tf.div(restOf(best, drawn), tail), [1, tail])], 1) : best;
  const found = tf.mul(parts, present(answers.ids));
  return tf.div(found, tf.maximum(tf.sum(found, 1, true), 1e-12)) as tf.Tensor2D;
}

/**
 * What all others have together [P, 1]. The best ones' probabilities are rounded, so where they are nearly all there is their sum says
 * little: the others have no less than the likeliest of those drawn.
 */
export function restOf(best: tf.Tensor, drawn: tf.Tensor): tf.Tensor {
  return tf.maximum(tf.sub(1, tf.sum(best, 1, true)), tf.max(drawn, 1, true));
}
