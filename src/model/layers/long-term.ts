import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../../compute/ops/linear.js';
import { present } from '../../compute/ops/present.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import type { TensorMap } from '../../types.js';
import { constant, glorot } from '../initial.js';
import { newestPlaces } from '../select.js';
import { initRecency, recencyConstants, recencyMean } from './recency.js';

const NAME = 'longTerm';
/** Of the gate at first: σ(2) = 0.88 of the short-term state. */
const MOSTLY_SHORT = 2;

/** Of a sequence model whose longest history is `length`: what is older than a position's newest `after` events is long ago. */
export interface LongTermOptions {
  readonly width: number;
  readonly length: number;
  readonly after: number;
}

export function initLongTerm(into: ParameterInits, { width, length }: LongTermOptions, rng: Random): void {
  initRecency(into, length, { name: NAME, decay: 0 });
  for (const part of ['short', 'long', 'value']) into.set(`${NAME}.${part}`, glorot(rng, width, width));
  into.set(`${NAME}.bias`, constant([width], MOSTLY_SHORT));
}

export function longTermConstants(into: TensorMap, { length, after }: LongTermOptions): void {
  recencyConstants(into, length, { name: NAME, after });
}

/**
 * Long- and short-term interest as two parts of a state (LSTUR: An et al. 2019), the long-term one of events alone: the mean l of the
 * vectors of what is long ago, the learned weight of each by its recency, and a gate between it and the short-term state s:
 *
 *   g = σ(s W_s + l W_l + b)        s′ = g ⊙ s + (1 − g) ⊙ l W_v
 *
 * Where nothing is long ago, s′ = s.
 *
 * @param states s of the last R positions [B, R, D]
 * @param items [B, L]
 * @param vectors of the events [B, L, D]
 * @returns s′ [B, R, D]
 */
export function withLongTerm(
  params: Params,
  states: tf.Tensor3D,
  items: tf.Tensor2D,
  vectors: tf.Tensor3D,
  { after }: LongTermOptions,
): tf.Tensor3D {
  const [size, rows] = states.shape;
  const steps = items.shape[1];
  const old = Math.max(0, steps - after);
  // Histories are right-aligned: a position has something long ago where the event `after` places before it is there.
  const shifted = tf.slice(present(items), [0, 0], [size, old]);
  const some = tf.concat([tf.zeros([size, steps - old]), shifted], 1) as tf.Tensor2D;
  const there = tf.expandDims(newestPlaces(some, rows), 2);
  const long = recencyMean(params, items, vectors, { name: NAME, rows });
  const of = (part: string, x: tf.Tensor, bias?: tf.Tensor): tf.Tensor =>
    linear(x, params.get(`${NAME}.${part}`), bias);
  const gate = tf.sigmoid(tf.add(of('short', states, params.get(`${NAME}.bias`)), of('long', long)));
  const moved = tf.mul(tf.sub(1, gate), tf.sub(of('value', long), states));
  return tf.add(states, tf.mul(moved, there)) as tf.Tensor3D;
}
