import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { exp } from '../../src/compute/ops/exp.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';

onEachBackend('exp', () => {
  test('its gradient, and the gradient of that, are itself', () => {
    const at = [-2, 0, 0.5, 3];
    const slope = tf.grad((x) => exp(x));
    const first = valuesOf(() => slope(tf.tensor1d(at)));
    const second = valuesOf(() => tf.grad((x) => slope(x))(tf.tensor1d(at)));
    assertClose(first, at.map(Math.exp), 'the gradient', 1e-5, 1e-5);
    assertClose(second, at.map(Math.exp), 'the gradient of the gradient', 1e-5, 1e-5);
  });
});
