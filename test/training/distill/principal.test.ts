import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eigenvectors, mainDirections, project } from '../../../src/training/distill/principal.js';

test('a symmetric matrix by hand: [[2, 1], [1, 2]] has 1 along (1, −1) and 3 along (1, 1)', () => {
  const matrix = Float64Array.of(2, 1, 1, 2);
  const vectors = eigenvectors(matrix, 2);
  assert.ok(Math.abs(matrix[0]! - 1) < 1e-12 && Math.abs(matrix[3]! - 3) < 1e-12);
  assert.ok(Math.abs(vectors[0]! + vectors[2]!) < 1e-12);
  assert.ok(Math.abs(vectors[1]! - vectors[3]!) < 1e-12);
});

test('eigenvectors are orthonormal and make the matrix again', () => {
  const matrices = fc
    .integer({ min: 1, max: 7 })
    .chain((n) =>
      fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: n * n, maxLength: n * n }),
    );
  fc.assert(
    fc.property(matrices, (values) => {
      const n = Math.sqrt(values.length);
      const at = (i: number, j: number): number => values[i * n + j]! + values[j * n + i]!;
      const matrix = Float64Array.from({ length: n * n }, (_, k) => at(Math.floor(k / n), k % n));
      const diagonal = matrix.slice();
      const v = eigenvectors(diagonal, n);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          let product = 0;
          let again = 0;
          for (let k = 0; k < n; k++) {
            product += v[k * n + i]! * v[k * n + j]!;
            again += v[i * n + k]! * diagonal[k * n + k]! * v[j * n + k]!;
          }
          assert.ok(Math.abs(product - (i === j ? 1 : 0)) < 1e-9);
          assert.ok(Math.abs(again - matrix[i * n + j]!) < 1e-8);
        }
    }),
  );
});

test('vectors in a plane keep all their dot products in two directions, and in one those along the longer', () => {
  // Multiples of (1, 1, 0) · √½ and, shorter, of (0, 0, 1).
  const half = Math.SQRT1_2;
  const vectors = Float32Array.from(
    [3, 0, -2, 0, 0, 1].flatMap((x, n) => (n % 2 ? [0, 0, x] : [half * x, half * x, 0])),
  );
  const plane = project(vectors, mainDirections(vectors, 3, 2));
  const dot = (data: Float32Array, width: number, a: number, b: number): number =>
    Array.from({ length: width }, (_, d) => data[a * width + d]! * data[b * width + d]!).reduce(
      (x, y) => x + y,
      0,
    );
  for (let a = 0; a < 6; a++)
    for (let b = 0; b < 6; b++) assert.ok(Math.abs(dot(plane, 2, a, b) - dot(vectors, 3, a, b)) < 1e-5);
  const line = project(vectors, mainDirections(vectors, 3, 1));
  assert.deepEqual(
    [...line].map((x) => Math.round(Math.abs(x) * 1e4) / 1e4),
    [3, 0, 2, 0, 0, 0],
  );
});
