import * as tf from '@tensorflow/tfjs-core';
import type { Optimizer, OptimizerSettings } from './optimizer.js';

/** Stochastic gradient descent with momentum (Polyak 1964): the velocity sums gradients, older ones fading. */
export function momentum({ momentum: kept = 0.9 }: OptimizerSettings = {}): Optimizer {
  return {
    name: 'momentum',
    settings: ['momentum'],
    slots: [{ name: 'velocity', fill: 0 }],
    rate: (learningRate) => learningRate,
    dense(parameter, gradient, [velocity], rate) {
      const next = tf.add(tf.mul(velocity!, kept), gradient);
      return { parameter: tf.sub(parameter, tf.mul(next, rate)), slots: [next] };
    },
    row(parameter, offset, gradient, gradientOffset, length, slots, rate) {
      const velocity = slots[0]!;
      for (let i = 0; i < length; i++) {
        const k = offset + i;
        velocity[k] = kept * velocity[k]! + gradient[gradientOffset + i]!;
        parameter[k] = parameter[k]! - rate * velocity[k]!;
      }
    },
    kernel: { op: 'ResourceApplyMomentum', inputs: ['rate', 'gradient', kept] },
  };
}
