import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer } from './optimizer.js';

/** Stochastic gradient descent without momentum. */
export function sgd(): Optimizer {
  return {
    name: 'sgd',
    slots: [],
    rate: (learningRate) => learningRate,
    dense(parameter, gradient, _slots, rate) {
      return { parameter: tf.sub(parameter, tf.mul(gradient, rate)), slots: [] };
    },
    row(parameter, offset, gradient, gradientOffset, length, _slots, rate) {
      for (let i = 0; i < length; i++) {
        parameter[offset + i] = parameter[offset + i]! - rate * gradient[gradientOffset + i]!;
      }
    },
    kernel: { op: 'ResourceApplyGradientDescent', inputs: ['rate', 'gradient'] },
  };
}
