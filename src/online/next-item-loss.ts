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
import { atLast } from '../model/select.js';
import { Random } from '../random.js';
import type { ItemRows } from './item-rows.js';
import type { LearnExample } from './learner.js';
import type { PopularityProposal } from './negatives.js';

const TRIES = 8;

export interface NegativeOptions {
  readonly proposal: PopularityProposal;
  /** Negatives an example. */
  readonly count: number;
  readonly seed: number;
  /** Rows of items; given where events are learned against what was shown. */
  readonly shown?: ItemRows | undefined;
}

/** Examples without what a loss adds: histories [P, L], `targets` [P] and `weights` [P]. */
export function packHistories(examples: readonly LearnExample[], model: Reads): Batch {
  const size = examples.length;
  const longest = examples.reduce((most, { query }) => Math.max(most, query.items.length), 1);
  const queries = examples.map(({ query }) => query);
  return {
    ...packedBatch(queries, model, size, Math.min(model.length, longest)),
    targets: { dtype: 'I32', shape: [size], data: Int32Array.from(examples, (e) => e.item) },
    weights: { dtype: 'F32', shape: [size], data: Float32Array.from(examples, (e) => e.weight) },
  };
}

/**
 * Examples as a batch: histories [P, L], `targets` [P], `weights` [P], `negatives` [P, n] and `offsets` [P, n], the
 * −log(n · q) by which a drawn negative's logit is corrected. Negatives avoid the target and the user's history, and
 * their stream is named by the event's id: the same event always draws the same ones.
 */
export function packExamples(
  examples: readonly LearnExample[],
  model: Reads,
  options: NegativeOptions,
): Batch {
  const size = examples.length;
  const { proposal, count, seed } = options;
  const negatives = new Int32Array(size * count);
  const offsets = new Float32Array(size * count);
  for (const [row, example] of examples.entries()) {
    const { event, item, query, known } = example;
    const others = options.shown && othersShown(example, options.shown);
    if (others && others.length > 0) {
      fillWith(others, negatives.subarray(row * count, (row + 1) * count), offsets.subarray(row * count));
      continue;
    }
    const random = Random.of(seed, 'negatives', event.id);
    const positive = new Set(query.items).add(item);
    for (let j = 0; j < count; j++) {
      let drawn = proposal.draw(random, known - 1);
      for (let t = 1; t < TRIES && positive.has(drawn); t++) drawn = proposal.draw(random, known - 1);
      negatives[row * count + j] = drawn;
      // A catalogue the user knows whole leaves no negatives: such a draw is masked.
      offsets[row * count + j] =
        drawn === item ? -1e9 : -Math.log(count) - proposal.logProbability(drawn, known - 1);
    }
  }
  return {
    ...packHistories(examples, model),
    negatives: { dtype: 'I32', shape: [size, count], data: negatives },
    offsets: { dtype: 'F32', shape: [size, count], data: offsets },
  };
}

/** Rows of what was shown beside the item that was chosen, as the catalogue was when the event came. */
function othersShown({ event, item, known }: LearnExample, rows: ItemRows): number[] {
  const others = new Set((event.shown ?? []).flatMap((id) => rows.get(id) ?? []));
  return [...others].filter((row) => row !== item && row < known);
}

/**
 * The same items again and again, each with −log of how often: the sum of exp(s + offset) is that over the items themselves, so that a softmax is that of the choice among
 * what was shown (conditional logit: McFadden 1974). Of more items than there is room for, the first.
 */
function fillWith(items: readonly number[], negatives: Int32Array, offsets: Float32Array): void {
  const { length: count } = negatives;
  const kept = Math.min(items.length, count);
  for (let j = 0; j < count; j++) {
    const times = Math.floor(count / kept) + (j % kept < count % kept ? 1 : 0);
    negatives[j] = items[j % kept]!;
    offsets[j] = -Math.log(times);
  }
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
    const { states } = model.encode(params, sequencesOf(inputs), INFERENCE);
    const last = atLast(states);
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
