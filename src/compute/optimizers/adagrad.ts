import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer } from './optimizer.js';

const START = 0.1;
const EPSILON = 1e-8;

/** Adagrad (Duchi, Hazan & Singer 2011), diagonal form. */
export function adagrad(): Optimizer {
  return {
    name: 'adagrad',
    slots: [{ name: 'accumulator', fill: START }],
    rate: (learningRate) => learningRate,
    dense(parameter, gradient, [accumulator], rate) {
      const sum = tf.add(accumulator!, tf.square(gradient));
      const update = tf.div(gradient, tf.add(tf.sqrt(sum), EPSILON));
      return { parameter: tf.sub(parameter, tf.mul(update, rate)), slots: [sum] };
    },
    row(parameter, offset, gradient, gradientOffset, length, slots, rate) {
      const accumulator = slots[0]!;
      for (let i = 0; i < length; i++) {
        const g = gradient[gradientOffset + i]!;
        const k = offset + i;
        accumulator[k] = accumulator[k]! + g * g;
        parameter[k] = parameter[k]! - (rate * g) / (Math.sqrt(accumulator[k]!) + EPSILON);
      }
    },
    fast: 'adagrad',
    kernel: { op: 'ResourceApplyAdagradV2', inputs: ['rate', EPSILON, 'gradient'] },
  };
}
