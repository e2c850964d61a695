import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { eliminate, solvePositiveDefinite } from '../../src/compute/ops/solve.js';
import { Random } from '../../src/random.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';

/** B matrices M Mᵀ + I and right sides, as plain numbers. */
function problem(size: number, n: number, seed: number): { a: number[][][]; b: number[][] } {
  const rng = Random.of(seed, 'solve');
  const some = (rows: number): number[][] =>
    Array.from({ length: rows }, () => Array.from({ length: n }, () => rng.normal()));
  const a = Array.from({ length: size }, () => {
    const m = some(n);
    return m.map((p, i) => m.map((q, j) => p.reduce((sum, x, k) => sum + x * q[k]!, i === j ? 1 : 0)));
  });
  return { a, b: some(size) };
}

onEachBackend('solving', () => {
  test('two by two, by hand', () => {
    const x = valuesOf(() =>
      solvePositiveDefinite(
        tf.tensor3d([
          [
            [4, 2],
            [2, 3],
          ],
        ]),
        tf.tensor2d([[2, 5]]),
      ),
    );
    assertClose(x, [-0.5, 2], 'x', 1e-6);
  });

  for (const n of [1, 5, 33])
    test(`A x is b again for ${n} unknowns, also by elimination`, () => {
      const { a, b } = problem(3, n, n);
      for (const solve of [solvePositiveDefinite, eliminate]) {
        const back = valuesOf(() => {
          const matrix = tf.tensor3d(a);
          return tf.matMul(matrix, tf.expandDims(solve(matrix, tf.tensor2d(b)), 2));
        });
        assertClose(back, b.flat(), 'A x', 1e-3);
      }
    });

  test('its gradient, and the gradient of that, are those of finite differences', () => {
    const { a, b } = problem(2, 3, 7);
    const weights = tf.tensor2d([
      [1, -2, 3],
      [0.5, 1, -1],
    ]);
    const right = tf.tensor2d(b);
    const f = (m: tf.Tensor): tf.Scalar =>
      tf.sum(tf.mul(solvePositiveDefinite(m as tf.Tensor3D, right), weights)) as tf.Scalar;
    const slope = (m: tf.Tensor): tf.Scalar => tf.sum(tf.square(tf.grad(f)(m))) as tf.Scalar;
    for (const [name, of] of [
      ['first', f],
      ['second', slope],
    ] as const) {
      const gradient = valuesOf(() => tf.grad(of)(tf.tensor3d(a)));
      for (const [one, i, j] of [
        [0, 0, 0],
        [1, 2, 2],
      ] as const) {
        const at = (shift: number): number => {
          const moved = structuredClone(a);
          moved[one]![i]![j]! += shift;
          return valuesOf(() => of(tf.tensor3d(moved)))[0]!;
        };
        const difference = (at(1e-2) - at(-1e-2)) / 2e-2;
        const found = gradient[(one * 3 + i) * 3 + j]!;
        assert.ok(
          Math.abs(found - difference) < 1e-3 + 0.02 * Math.abs(difference),
          `${name}: ${found}, finite differences ${difference}`,
        );
      }
    }
    tf.dispose([weights, right]);
  });
});
