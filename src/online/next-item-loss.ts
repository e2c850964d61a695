import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import { logSumExp } from '../compute/ops/log-sum-exp.js';
import type { Params } from '../compute/parameters.js';
import type { Batch, Inputs } from '../compute/step.js';
import { sequencesOf } from '../model/inputs.js';
import { binaryCrossEntropy } from '../model/losses/bce.js';
import { single } from '../model/losses/reduce.js';
import type { Model } from '../model/model.js';
import { packedBatch, type Reads } from '../model/scorer.js';
import { newestStates } from '../model/select.js';
import type { LearnExample } from './learner.js';
import { drawNegatives, type NegativeOptions } from './negatives.js';

/**
 * Examples without what a loss adds: histories [P, L], `targets` [P] and `weights` [P].
 * @param whole whether histories are as long as the model reads, and not as long as the longest
 */
export function packHistories(examples: readonly LearnExample[], model: Reads, whole = false): Batch {
  const size = examples.length;
  const longest = examples.reduce((most, { query }) => Math.max(most, query.items.length), 1);
  const queries = examples.map(({ query }) => query);
  return {
    ...packedBatch(queries, model, size, whole ? model.length : Math.min(model.length, longest)),
    targets: { dtype: 'I32', shape: [size], data: Int32Array.from(examples, (e) => e.item) },
    weights: { dtype: 'F32', shape: [size], data: Float32Array.from(examples, (e) => e.weight) },
  };
}

/**
 * Examples as a batch: histories [P, L], `targets` [P], `weights` [P], `negatives` [P, n] and `offsets` [P, n], the
 * −log(n · q) by which a drawn negative's logit is corrected.
 */
export function packExamples(
  examples: readonly LearnExample[],
  model: Reads,
  options: NegativeOptions,
  whole = false,
): Batch {
  const size = examples.length;
  const { count } = options;
  const negatives = new Int32Array(size * count);
  const offsets = new Float32Array(size * count);
  for (const [row, example] of examples.entries()) {
    const [from, to] = [row * count, (row + 1) * count];
    drawNegatives(example, options, negatives.subarray(from, to), offsets.subarray(from, to));
  }
  return {
    ...packHistories(examples, model, whole),
    negatives: { dtype: 'I32', shape: [size, count], data: negatives },
    offsets: { dtype: 'F32', shape: [size, count], data: offsets },
  };
}

/**
 * Weighted sum over a batch of the loss of each event's item against its negatives: events that share an update move the
 * model as far as they would alone. No dropout: one look at an event should not be a noisy one.
 *
 * softmax: log(exp s⁺ + Σ exp(sⱼ − log(n qⱼ))) − s⁺, which estimates the loss over the whole catalogue
 * (Bengio & Senécal 2008). bce: −log σ(s⁺) − meanⱼ log(1 − σ(sⱼ)).
 */
export function nextItemLoss(kind: 'softmax' | 'bce', model: Model) {
  return (params: Params, inputs: Inputs): tf.Scalar => {
    const { targets, weights, negatives, offsets } = inputs;
    const last = newestStates(model, params, sequencesOf(inputs));
    const logits = (candidates: tf.Tensor): tf.Tensor2D => model.logits(params, last, candidates, INFERENCE);
    const target = single(logits, targets!);
    const against = logits(negatives!);
    let losses: tf.Tensor;
    if (kind === 'softmax') {
      const corrected = tf.add(against, offsets!);
      const joined = tf.concat([tf.expandDims(target, 1), corrected], 1) as tf.Tensor2D;
      losses = tf.sub(logSumExp(joined), target);
    } else {
      const drawn = tf.cast(tf.greater(offsets!, -1e8), 'float32');
      const negative = tf.mul(binaryCrossEntropy(against, tf.zerosLike(against)), drawn);
      losses = tf.add(binaryCrossEntropy(target, tf.onesLike(target)), tf.mean(negative, 1));
    }
    return tf.sum(tf.mul(losses, weights!)) as tf.Scalar;
  };
}
