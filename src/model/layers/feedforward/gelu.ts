import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../../../compute/ops/linear.js';
import { twoLayer } from './two-layer.js';

/** gelu(x W₁ + b₁) W₂ + b₂, with gelu(x) = x Φ(x), Φ the normal distribution (Hendrycks & Gimpel 2016). */
export const gelu = twoLayer((x, w, bias) => {
  const y = linear(x, w, bias);
  return tf.mul(tf.mul(y, 0.5), tf.add(tf.erf(tf.mul(y, Math.SQRT1_2)), 1));
});
