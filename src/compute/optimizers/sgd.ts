import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer } from './optimizer.js';

/** Stochastic gradient descent without momentum. */
export function sgd(): Optimizer {
  return {
    name: 'sgd',
    slots: [],
    dense(parameter, gradient, _slots, learningRate) {
      return { parameter: tf.sub(parameter, tf.mul(gradient, learningRate)), slots: [] };
    },
    row(parameter, offset, gradient, gradientOffset, length, _slots, learningRate) {
      for (let i = 0; i < length; i++) {
        parameter[offset + i] = parameter[offset + i]! - learningRate * gradient[gradientOffset + i]!;
      }
    },
  };
}
