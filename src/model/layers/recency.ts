import * as tf from '@tensorflow/tfjs-core';
import { present } from '../../compute/ops/present.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';

const NAME = '';
/** Parameters of a mean that is no part of another are named by themselves. */
const named = (name: string) => (name === '' ? 'recency' : `${name}.recency`);

/**
 * Logarithms of how much an event counts, by how many came after it; row 0 is that of no event.
 *
 * @param decay of the logarithm from one event to the next, at first
 */
export function initRecency(into: ParameterInits, length: number, { name = NAME, decay = 0.1 } = {}): void {
  const weights = new Float32Array(length + 1);
  for (let t = 1; t <= length; t++) weights[t] = -decay * (t - 1);
  into.set(named(name), { shape: [length + 1, 1], data: weights, table: false });
}

/** @param after how many of the newest events do not count */
export function recencyConstants(into: TensorMap, length: number, { name = NAME, after = 0 } = {}): void {
  into.set(`${named(name)}.lags`, { dtype: 'I32', shape: [length, length], data: lags(length, after) });
}

interface Places {
  readonly name?: string;
  /** Newest positions that are asked about. */
  readonly rows?: number;
}

/** How much each of the items [B, L] counts at the last R positions → weights [B, R, L], and their sums [B, R, 1]. */
function recencyWeights(params: Params, items: tf.Tensor2D, { name = NAME, rows = items.shape[1] }: Places) {
  const [, steps] = items.shape;
  const lag = tf.slice(params.get(`${named(name)}.lags`), [steps - rows, 0], [rows, steps]);
  const counts = tf.cast(tf.greater(lag, 0), 'float32');
  const weights = tf.mul(tf.exp(tf.squeeze(params.lookup(named(name), lag), [2])), counts);
  const mix = tf.mul(tf.expandDims(weights, 0), tf.expandDims(present(items), 1)) as tf.Tensor3D;
  return { mix, total: tf.add(tf.sum(mix, 2, true), 1e-6) };
}

/**
 * Mean of the vectors [B, L, D] of the items [B, L] up to each of the last R positions, the learned weight of each by its recency →
 * [B, R, D]; 0 where there is none.
 */
export function recencyMean(
  params: Params,
  items: tf.Tensor2D,
  vectors: tf.Tensor3D,
  places: Places = {},
): tf.Tensor3D {
  const { mix, total } = recencyWeights(params, items, places);
  return tf.div(tf.matMul(mix, vectors), total);
}

/** Share of each of the items [B, L] in that mean at the newest position → [B, L]. */
export function recencyShares(params: Params, items: tf.Tensor2D): tf.Tensor2D {
  const { mix, total } = recencyWeights(params, items, { rows: 1 });
  return tf.squeeze(tf.div(mix, total), [1]);
}

/** Lag matrix [L, L]: 1 + (i − j) for j ≤ i − after, 0 for what is newer and for the future; indexes the weights. */
function lags(length: number, after: number): Int32Array {
  const out = new Int32Array(length * length);
  for (let i = 0; i < length; i++) for (let j = 0; j <= i - after; j++) out[i * length + j] = 1 + i - j;
  return out;
}
