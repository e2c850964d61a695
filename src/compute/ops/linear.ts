import * as tf from '@tensorflow/tfjs-core';
import { type Kernel, kernels, multiplies, saver } from './kernel.js';

export type Activation = 'none' | 'relu';

/** A dense layer: x [..., in] · w [in, out] (+ bias [out]), then the activation → [..., out]. */
export function linear(
  x: tf.Tensor,
  w: tf.Tensor,
  bias: tf.Tensor | undefined,
  activation: Activation = 'none',
): tf.Tensor {
  const [inner, outer] = w.shape as [number, number];
  const flat = tf.reshape(x, [x.size / inner, inner]) as tf.Tensor2D;
  const kernel = kernels();
  const y = kernel
    ? fusedLinear(kernel, flat, w, bias ?? tf.zeros([outer]), activation)
    : composedLinear(flat, w as tf.Tensor2D, bias, activation);
  return tf.reshape(y, [...x.shape.slice(0, -1), outer]);
}

export function composedLinear(
  x: tf.Tensor2D,
  w: tf.Tensor2D,
  bias: tf.Tensor | undefined,
  activation: Activation,
): tf.Tensor {
  const product = tf.matMul(x, w);
  const y = bias ? tf.add(product, bias) : product;
  return activation === 'relu' ? tf.relu(y) : y;
}

/** Forward in one pass, and all three gradients in another. */
export function fusedLinear(
  kernel: Kernel,
  x: tf.Tensor2D,
  w: tf.Tensor,
  bias: tf.Tensor,
  activation: Activation,
): tf.Tensor {
  const attributes = { flag: { relu: activation === 'relu', ...multiplies() } };
  const op = tf.customGrad((...args) => {
    const [x, w, bias, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, unknown];
    const y = kernel('RecsysLinear', [x, w, bias], attributes, 1)[0]!;
    saver(save)([x, w, y]);
    return {
      value: y,
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        kernel('RecsysLinearGrad', [...saved, dy as tf.Tensor], attributes, 3),
    };
  });
  return op(x, w, bias);
}
