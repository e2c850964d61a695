import * as tf from '@tensorflow/tfjs-core';
import { type Kernel, kernels, saver } from './kernel.js';

const EPSILON = 1e-6;

/** Layer normalisation over the last axis (Ba, Kiros & Hinton 2016): (x − mean) / √(variance + 1e-6) · gain + bias. */
export function layerNorm(x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const kernel = kernels();
  return kernel ? fusedLayerNorm(kernel, x, gain, bias) : composedLayerNorm(x, gain, bias);
}

export function composedLayerNorm(x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true);
  const normed = tf.mul(centred, tf.rsqrt(tf.add(variance, EPSILON)));
  return tf.add(tf.mul(normed, gain), bias);
}

/** One pass forward and one back, each row staying in cache. */
export function fusedLayerNorm(kernel: Kernel, x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const attributes = { float: { epsilon: EPSILON } };
  const op = tf.customGrad((...args) => {
    const [x, gain, bias, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, unknown];
    saver(save)([x, gain]);
    return {
      value: kernel('RecsysLayerNorm', [x, gain, bias], attributes, 1)[0]!,
      gradFunc: (dy: tf.Tensor | tf.Tensor[], [x, gain]: tf.Tensor[]) =>
        kernel('RecsysLayerNormGrad', [x!, gain!, dy as tf.Tensor], attributes, 3),
    };
  });
  return op(x, gain, bias);
}
