import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer } from './optimizer.js';

/** Adam (Kingma & Ba 2015, algorithm 1, with the bias corrections folded into the step size). */
export function adam(beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8): Optimizer {
  return {
    name: 'adam',
    slots: [
      { name: 'm', fill: 0 },
      { name: 'v', fill: 0 },
    ],
    rate: (learningRate, step) => (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step),
    dense(parameter, gradient, [m, v], rate) {
      const newM = tf.add(tf.mul(m!, beta1), tf.mul(gradient, 1 - beta1));
      const newV = tf.add(tf.mul(v!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const update = tf.div(newM, tf.add(tf.sqrt(newV), epsilon));
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
        m[k] = beta1 * m[k]! + (1 - beta1) * g;
        v[k] = beta2 * v[k]! + (1 - beta2) * g * g;
        parameter[k] = parameter[k]! - (rate * m[k]!) / (Math.sqrt(v[k]!) + epsilon);
      }
    },
  };
}
