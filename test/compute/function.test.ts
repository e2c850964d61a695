import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { compileFunction } from '../../src/compute/compile.js';
import { gatherRows } from '../../src/compute/gather.js';
import type { Batch } from '../../src/compute/step.js';
import { assertClose, assertNoLeak } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';

const batchOf = (...rows: number[][]): Batch => ({
  x: { dtype: 'F32', shape: [rows.length, 2], data: Float32Array.from(rows.flat()) },
  row: { dtype: 'I32', shape: [1], data: Int32Array.of(rows.length - 1) },
});

onEachBackend('a compiled function', (backend) => {
  test('gives what its work gives, for each shape, with the weights as they are when it first runs', async () => {
    const weights = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const compiled = compileFunction(({ x, row }) => {
      const product = tf.matMul(x as tf.Tensor2D, weights);
      return { product, last: gatherRows(product, row!) };
    });
    const first = await compiled.run(batchOf([1, 0], [0, 1], [1, 1]));
    assertClose(first.get('product')!, [1, 2, 3, 4, 4, 6], 'product', 0);
    assertClose(first.get('last')!, [4, 6], 'last', 0);
    const other = await compiled.run(batchOf([2, 0]));
    assertClose(other.get('product')!, [2, 4], 'another shape', 0);
    const again = await compiled.run(batchOf([0, 2], [1, 0], [0, 0]));
    assertClose(again.get('product')!, [6, 8, 1, 2, 0, 0], 'the first shape, other values', 0);
    compiled.dispose();
    weights.dispose();
  });

  test('leaves no tensor behind', async () => {
    await assertNoLeak('two shapes, twice each', async () => {
      const weights = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      const compiled = compileFunction(({ x }) => ({ y: tf.matMul(x as tf.Tensor2D, weights) }));
      for (const rows of [
        [[1, 2]],
        [
          [1, 2],
          [3, 4],
        ],
        [[0, 1]],
        [
          [1, 1],
          [0, 0],
        ],
      ])
        await compiled.run(batchOf(...rows));
      compiled.dispose();
      weights.dispose();
    });
  });

  // Elsewhere nothing is recorded.
  test('recording refuses a value of the batch that was read in JavaScript', {
    skip: backend !== 'tensorflow',
  }, async () => {
    const compiled = compileFunction(({ x }) => ({ y: tf.mul(x!, tf.scalar(x!.dataSync()[0]!)) }));
    await assert.rejects(compiled.run(batchOf([1, 2])), /was read back/);
    await assert.rejects(compiled.run(batchOf([1, 2])), /was read back/, 'and again');
    compiled.dispose();
  });
});
