import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelsOver, memoryOf } from '../../src/compute/plain/kernels.js';

test('products, sums and updates four numbers at a time are what they say', () => {
  const memory = memoryOf(4096);
  const floats = new Float32Array(memory.buffer);
  const { products, dot, axpy, adagrad } = kernelsOver(memory);
  // x = 1 … 8 at 0; two rows from 32: all 1, and 0 … 7; out at 96.
  for (let i = 0; i < 8; i++) {
    floats[i] = i + 1;
    floats[8 + i] = 1;
    floats[16 + i] = i;
  }
  products(0, 32, 2, 32, 96);
  assert.deepEqual([...floats.subarray(24, 27)], [36, 168, 0]);
  assert.equal(dot(0, 64, 32), 168);
  assert.equal(dot(0, 32, 16), 10);
  axpy(-2, 0, 32, 32);
  assert.deepEqual([...floats.subarray(8, 16)], [-1, -3, -5, -7, -9, -11, -13, -15]);
  assert.deepEqual([...floats.subarray(16, 24)], [0, 1, 2, 3, 4, 5, 6, 7]);
  // w = 1, sum = 7 at 128 and 144, g = 3 at 160: sum 16, w − 0.5 · 3 / 4.
  floats.fill(1, 32, 36);
  floats.fill(7, 36, 40);
  floats.fill(3, 40, 44);
  adagrad(128, 144, 160, 16, 0.5);
  assert.deepEqual(
    [...floats.subarray(32, 44)],
    [...Array(4).fill(0.625), ...Array(4).fill(16), ...Array(4).fill(3)],
  );
});
