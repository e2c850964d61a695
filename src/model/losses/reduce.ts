import * as tf from '@tensorflow/tfjs-core';

/** Σ wᵢ xᵢ / Σ wᵢ over positions [P]; padded positions carry weight 0. */
export function weightedMean(values: tf.Tensor, weights: tf.Tensor): tf.Scalar {
  return tf.div(tf.sum(tf.mul(values, weights)), tf.maximum(tf.sum(weights), 1e-6)) as tf.Scalar;
}

/** Weights [P] scaled to sum to one (all zero where they are). */
export function shares(weights: tf.Tensor): tf.Tensor1D {
  return tf.div(weights, tf.maximum(tf.sum(weights), 1e-6)) as tf.Tensor1D;
}

/** Logits of one own candidate a state: states [P, D], items [P] → [P]. */
export function single(logits: (candidates: tf.Tensor) => tf.Tensor2D, items: tf.Tensor): tf.Tensor1D {
  return tf.squeeze(logits(tf.expandDims(items, 1)), [1]) as tf.Tensor1D;
}
