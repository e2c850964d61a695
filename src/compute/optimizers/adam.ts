import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer } from './optimizer.js';

// As 32-bit floats: kernels are given β and take 1 − β of it, and every form has to come to the same number.
const BETA1 = Math.fround(0.9);
const BETA2 = Math.fround(0.999);
const EPSILON = 1e-8;

/** Adam (Kingma & Ba 2015, algorithm 1, with the bias corrections folded into the step size). */
export function adam(): Optimizer {
  return {
    name: 'adam',
    slots: [
      { name: 'm', fill: 0 },
      { name: 'v', fill: 0 },
    ],
    rate: (learningRate, step) => (learningRate * Math.sqrt(1 - BETA2 ** step)) / (1 - BETA1 ** step),
    dense(parameter, gradient, [m, v], rate) {
      const newM = tf.add(tf.mul(m!, BETA1), tf.mul(gradient, 1 - BETA1));
      const newV = tf.add(tf.mul(v!, BETA2), tf.mul(tf.square(gradient), 1 - BETA2));
      const update = tf.div(newM, tf.add(tf.sqrt(newV), EPSILON));
      return {
        parameter: tf.sub(parameter, tf.mul(update, rate)),
        slots: [newM, newV],
      };
    },
    row(parameter, offset, gradient, gradientOffset, length, slots, rate) {
      const m = slots[0]!;
      const v = slots[1]!;
      for (let i = 0; i < length; i++) {
        const g = gradient[gradientOffset + i]!;
        const k = offset + i;
        m[k] = BETA1 * m[k]! + (1 - BETA1) * g;
        v[k] = BETA2 * v[k]! + (1 - BETA2) * g * g;
        parameter[k] = parameter[k]! - (rate * m[k]!) / (Math.sqrt(v[k]!) + EPSILON);
      }
    },
    // The zeros are β₁ᵗ and β₂ᵗ: with them the kernel's own bias corrections are 1, for `rate` has them already.
    kernel: {
      op: 'ResourceApplyAdam',
      inputs: [0, 0, 'rate', BETA1, BETA2, EPSILON, 'gradient'],
    },
  };
}
