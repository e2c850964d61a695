import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { blockMatrix } from '../../../src/compute/cholesky.js';
import { selectBackend } from '../../../src/compute/select.js';
import { largest } from '../../../src/training/ridge/cut.js';
import { solve } from '../../../src/training/ridge/solve.js';
import { sharesOf } from '../../../src/training/ridge/targets.js';
import { assertClose, assertNoLeak } from '../../suites/assertions.js';

before(() => selectBackend('cpu'));

test('ridge by hand: the constant is free, the other input is held by λ', () =>
  assertNoLeak('solve', async () => {
    // Positions x = (1, 0), (1, 1), (1, 2), with y = 0, 1, 2 of one item and 3 of another.
    const gram = blockMatrix(2);
    gram.data.set([3], 0);
    gram.data.set([3, 5], gram.stride);
    const cross = Float32Array.of(0, 3, 9, 0, 5, 9);
    const found = { gram, cross, columns: 3, squares: 5 + 27, weight: 3 };
    // With x centred, its squares are 2: the slope is 2 / (2 + λ), and the line goes through the mean (1, 1).
    const slope = 2 / 4;
    const { weights, loss } = await solve(found, 2);
    assertClose(weights, [0, 1 - slope, 3, 0, slope, 0], 'B', 1e-6);
    assertClose([loss], [(0.25 + 0 + 0.25) / 3], 'mean squared error', 1e-6);
    // The moments are left as they were, for another λ.
    const free = await solve(found, 1e-9);
    assertClose(free.weights, [0, 0, 3, 0, 1, 0], 'B without λ', 1e-5);
    assertClose([free.loss], [0], 'it goes through every point', 1e-6);
  }));

test('a row keeps its largest weights, by magnitude, in the order of the items', () => {
  const weights = Float32Array.of(9, 9, 9, 9, 9, 7, 0.5, -2, 1, -0.25, 5, 1, -1, 1, 1, 0, 0, 0, 3, 0);
  const cut = largest(weights, 5, { from: 1, rows: 3, count: 2 });
  // Padding, though large, is none of them; of equal ones the first stay; where there are fewer, the place is padding's.
  assert.deepEqual([...cut.numbers], [2, 3, 1, 2, 3, 0]);
  assert.deepEqual([...cut.weights], [-2, 1, 1, -1, 3, 0]);
  const all = largest(weights, 5, { from: 1, rows: 1, count: 6 });
  assert.deepEqual([...all.numbers], [1, 2, 3, 4, 0, 0]);
  assert.deepEqual([...all.weights], [0.5, -2, 1, -0.25, 0, 0]);
});

test('shares of an answer: the best have their probabilities, those drawn what is left', () => {
  assertClose(
    sharesOf(Int32Array.of(4, 2, 7, 9), Float32Array.of(0.5, 0.25, 0.01, 0.02), 2),
    [0.5, 0.25, 0.125, 0.125],
    'shares',
  );
  // Rounded probabilities leave less than the likeliest of those drawn has.
  assertClose(sharesOf(Int32Array.of(4, 2), Float32Array.of(1, 0.01), 1), [1 / 1.01, 0.01 / 1.01], 'rounded');
  assertClose(
    sharesOf(Int32Array.of(4, 2, 0, 0), Float32Array.of(0.5, 0.5, 0, 0), 4),
    [0.5, 0.5, 0, 0],
    'no tail',
  );
  assertClose(
    sharesOf(Int32Array.of(3, 1, 5, 0), Float32Array.of(0.6, 0.2, 0.1, 0), 2),
    [2 / 3, 2 / 9, 1 / 9, 0],
    'one is absent',
  );
});
