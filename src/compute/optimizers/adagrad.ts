import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer } from './optimizer.js';

/** Adagrad (Duchi, Hazan & Singer 2011), diagonal form. */
export function adagrad(initialAccumulator = 0.1, epsilon = 1e-8): Optimizer {
  return {
    name: 'adagrad',
    slots: [{ name: 'accumulator', fill: initialAccumulator }],
    rate: (learningRate) => learningRate,
    dense(parameter, gradient, [accumulator], rate) {
      const sum = tf.add(accumulator!, tf.square(gradient));
      const update = tf.div(gradient, tf.add(tf.sqrt(sum), epsilon));
      return { parameter: tf.sub(parameter, tf.mul(update, rate)), slots: [sum] };
    },
    row(parameter, offset, gradient, gradientOffset, length, slots, rate) {
      const accumulator = slots[0]!;
      for (let i = 0; i < length; i++) {
        const g = gradient[gradientOffset + i]!;
        const k = offset + i;
        accumulator[k] = accumulator[k]! + g * g;
        parameter[k] = parameter[k]! - (rate * g) / (Math.sqrt(accumulator[k]!) + epsilon);
      }
    },
  };
}
