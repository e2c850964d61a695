import * as tf from '@tensorflow/tfjs-core';
import { present } from '../../compute/ops/present.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';

const WEIGHTS = 'recency';
const LAGS = 'recency.lags';

/** Logarithms of how much an event counts, by how many came after it; row 0 is that of no event. */
export function initRecency(into: ParameterInits, length: number): void {
  const weights = new Float32Array(length + 1);
  for (let t = 1; t <= length; t++) weights[t] = -0.1 * (t - 1);
  into.set(WEIGHTS, { shape: [length + 1, 1], data: weights, table: false });
}

export function recencyConstants(into: TensorMap, length: number): void {
  into.set(LAGS, { dtype: 'I32', shape: [length, length], data: lags(length) });
}

/**
 * Mean of the vectors [B, L, D] of the items [B, L] up to each position, the learned weight of each by its recency → [B, L, D]; 0 where
 * there is none.
 */
export function recencyMean(params: Params, items: tf.Tensor2D, vectors: tf.Tensor3D): tf.Tensor3D {
  const [, steps] = items.shape;
  const lag = tf.slice(params.get(LAGS), [0, 0], [steps, steps]);
  const causal = tf.cast(tf.greater(lag, 0), 'float32');
  const weights = tf.mul(tf.exp(tf.squeeze(params.lookup(WEIGHTS, lag), [2])), causal);
  const mix = tf.mul(tf.expandDims(weights, 0), tf.expandDims(present(items), 1)) as tf.Tensor3D;
  const total = tf.add(tf.sum(mix, 2, true), 1e-6);
  return tf.div(tf.matMul(mix, vectors), total);
}

/** Lag matrix [L, L]: 1 + (i − j) for j ≤ i, 0 for the future; indexes the weights. */
function lags(length: number): Int32Array {
  const out = new Int32Array(length * length);
  for (let i = 0; i < length; i++) for (let j = 0; j <= i; j++) out[i * length + j] = 1 + i - j;
  return out;
}
