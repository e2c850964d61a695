import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { featureAlignment, softLabels } from '../../src/model/losses/distillation.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';

const soft = (student: number[][], teacher: number[][], weights: number[], temperature: number): number =>
  valuesOf(() =>
    softLabels(tf.tensor2d(student), tf.tensor2d(teacher), tf.tensor1d(weights), temperature),
  )[0]!;

const align = (student: number[][], projection: number[][], teacher: number[][]): number =>
  valuesOf(() =>
    featureAlignment(
      tf.tensor2d(student),
      tf.tensor2d(projection),
      tf.tensor2d(teacher),
      tf.ones([student.length]),
    ),
  )[0]!;

onEachBackend('distillation losses', () => {
  test('soft labels: 0 where the logits are equal or shifted by a constant, and padding counts for nothing', () => {
    const teacher = [[-1e9, 1, 2, 3]];
    assertClose([soft(teacher, teacher, [1], 2)], [0], 'equal', 1e-6);
    assertClose([soft([[-1e9, 11, 12, 13]], teacher, [1], 2)], [0], 'shifted', 1e-5);
  });

  test('soft labels: T² · KL(teacher ‖ student) at a temperature, by hand', () => {
    // Teacher ½, ½ at any temperature; student at T = 2: logits 0, 2·ln 3 → ¼, ¾.
    const kl = 0.5 * Math.log(0.5 / 0.25) + 0.5 * Math.log(0.5 / 0.75);
    assertClose([soft([[0, 2 * Math.log(3)]], [[0, 0]], [1], 2)], [4 * kl], 'T = 2');
    assertClose([soft([[0, Math.log(3)]], [[0, 0]], [1], 1)], [kl], 'T = 1');
    const two = soft(
      [
        [0, Math.log(3)],
        [5, -5],
      ],
      [
        [0, 0],
        [0, 0],
      ],
      [1, 0],
      1,
    );
    assertClose([two], [kl], 'weight 0 leaves a position out');
  });

  test('soft labels: T² keeps the gradient’s size at high temperatures', () => {
    const gradient = (temperature: number): Float32Array =>
      tf.tidy(
        () =>
          tf
            .grad((s) =>
              softLabels(s as tf.Tensor2D, tf.tensor2d([[0.2, -0.1]]), tf.tensor1d([1]), temperature),
            )(tf.tensor2d([[0.1, 0.3]]))
            .dataSync() as Float32Array,
      );
    // For small logits, T² · KL → the squared distance of the centred logits / (2 n): its gradient does not depend on T.
    const expected = (0.1 - 0.3 - (0.2 + 0.1)) / 2 / 2;
    for (const temperature of [1, 4, 20])
      assertClose(gradient(temperature), [expected, -expected], `T = ${temperature}`, 5e-3);
  });

  test('soft labels: logits of ±10⁴ give finite values and gradients', () => {
    const extreme = [[1e4, -1e4, 0]];
    const value = soft([[-1e4, 1e4, 0]], extreme, [1], 1);
    assertClose([value], [2e4], 'value');
    const gradient = tf.tidy(() =>
      tf
        .grad((s) => softLabels(s as tf.Tensor2D, tf.tensor2d(extreme), tf.tensor1d([1]), 1))(
          tf.tensor2d([[-1e4, 1e4, 0]]),
        )
        .dataSync(),
    );
    assertClose(gradient, [-1, 1, 0], 'gradient');
  });

  test('alignment: 0 for equal directions, 2 for orthogonal, 4 for opposite ones, at any scale', () => {
    const same = [
      [1, 0],
      [0, 1],
    ];
    assertClose([align([[2, 1]], same, [[200, 100]])], [0], 'equal', 1e-5);
    assertClose([align([[0.3, 0]], same, [[0, 7]])], [2], 'orthogonal', 1e-5);
    assertClose([align([[2, 1]], same, [[-4, -2]])], [4], 'opposite', 1e-5);
    assertClose(
      [
        align(
          [[1, 2]],
          [
            [0, 1],
            [1, 0],
          ],
          [[2, 1]],
        ),
      ],
      [0],
      'through the projection',
      1e-5,
    );
  });

  test('alignment: a zero vector gives finite values and gradients', () => {
    assert.ok(
      Number.isFinite(
        align(
          [[0, 0]],
          [
            [1, 0],
            [0, 1],
          ],
          [[0, 0]],
        ),
      ),
    );
    const gradient = tf.tidy(() =>
      tf
        .grad((s) =>
          featureAlignment(s as tf.Tensor2D, tf.tensor2d([[1]]), tf.tensor2d([[1]]), tf.tensor1d([1])),
        )(tf.tensor2d([[0]]))
        .dataSync(),
    );
    assert.ok(gradient.every(Number.isFinite));
  });
});
