import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelsOver, memoryOf } from '../../src/compute/plain/kernels.js';
import { Random } from '../../src/random.js';

test('products, sums and updates four numbers at a time are what they say', () => {
  const memory = memoryOf(4096);
  const floats = new Float32Array(memory.buffer);
  const ints = new Int32Array(memory.buffer);
  const { products, axpy, squares, dots, gather, scatter } = kernelsOver(memory);
  // x = 1 … 8 at 0; two rows from 32: all 1, and 0 … 7; out at 96.
  for (let i = 0; i < 8; i++) {
    floats[i] = i + 1;
    floats[8 + i] = 1;
    floats[16 + i] = i;
  }
  products(0, 32, 2, 32, 96);
  assert.deepEqual([...floats.subarray(24, 27)], [36, 168, 0]);
  assert.equal(squares(32, 2, 32), 8 + 140);
  // Rows 1, 0, 1 and scales 2, 3, −1 at 128 and 144.
  ints.set([1, 0, 1], 32);
  floats.set([2, 3, -1], 36);
  dots(0, 32, 128, 3, 32, 96);
  assert.deepEqual([...floats.subarray(24, 28)], [168, 36, 168, 0]);
  // y += 3 · ones + (2 − 1) · (0 … 7)
  gather(144, 32, 128, 3, 32, 160);
  assert.deepEqual([...floats.subarray(40, 49)], [3, 4, 5, 6, 7, 8, 9, 10, 0]);
  scatter(144, 0, 32, 128, 3, 32);
  assert.deepEqual([...floats.subarray(8, 16)], [4, 7, 10, 13, 16, 19, 22, 25]);
  assert.deepEqual([...floats.subarray(16, 25)], [1, 3, 5, 7, 9, 11, 13, 15, 168]);
  axpy(-2, 0, 32, 32);
  assert.deepEqual([...floats.subarray(8, 16)], [2, 3, 4, 5, 6, 7, 8, 9]);
});

test('an update by Adagrad changes the rows named, and no other', () => {
  const memory = memoryOf(4096);
  const floats = new Float32Array(memory.buffer);
  const ints = new Int32Array(memory.buffer);
  const { adagrad } = kernelsOver(memory);
  // Three rows of w = 1 and sum = 7 from 0 and 48; gradients 3 and √57 of rows 2 and 0: sums 16 and 64.
  floats.fill(1, 0, 12);
  floats.fill(7, 12, 24);
  floats.fill(3, 24, 28);
  floats.fill(Math.fround(Math.sqrt(57)), 28, 32);
  ints.set([2, 0], 32);
  adagrad(0, 48, 128, 2, 16, 96, 0.5);
  const four = (value: number): number[] => Array(4).fill(value);
  assert.deepEqual([...floats.subarray(4, 12)], [...four(1), ...four(0.625)]);
  assert.deepEqual([...floats.subarray(16, 24)], [...four(7), ...four(16)]);
  for (const w of floats.subarray(0, 4)) assert(Math.abs(w - (1 - (0.5 * Math.sqrt(57)) / 8)) < 1e-6);
  for (const sum of floats.subarray(12, 16)) assert(Math.abs(sum - 64) < 1e-4);
});

test('sums come in the same order at every width: four sums, then those two by two', () => {
  const random = new Random(5);
  const { fround } = Math;
  for (const width of [4, 16, 20, 64]) {
    const memory = memoryOf(8192);
    const { dots, gather, scatter, squares } = kernelsOver(memory);
    const bytes = 4 * width;
    const numbers = (from: number): Float32Array => new Float32Array(memory.buffer, from, width);
    // x at 0, y at 512, three rows from 1024; rows 2, 0, 2 at 4096, their scales at 4160, results at 4224.
    const [x, y] = [numbers(0), numbers(512)];
    const rows = [0, 1, 2].map((row) => numbers(1024 + row * bytes));
    for (const one of [x, y, ...rows]) for (let i = 0; i < width; i++) one[i] = random.normal();
    const ids = [2, 0, 2];
    const scales = Float32Array.from(ids, () => random.normal());
    new Int32Array(memory.buffer, 4096, 3).set(ids);
    new Float32Array(memory.buffer, 4160, 3).set(scales);
    const product = (a: Float32Array, b: Float32Array): number => {
      const sums = [0, 0, 0, 0];
      for (let i = 0; i < width; i++) sums[i % 4] = fround(sums[i % 4]! + fround(a[i]! * b[i]!));
      return fround(fround(sums[0]! + sums[1]!) + fround(sums[2]! + sums[3]!));
    };
    const added = (to: Float32Array, scale: number, of: Float32Array): Float32Array =>
      to.map((value, i) => fround(value + fround(scale * of[i]!)));

    dots(0, 1024, 4096, 3, bytes, 4224);
    const made = [...new Float32Array(memory.buffer, 4224, 3)];
    assert.deepEqual(
      made,
      ids.map((id) => product(x, rows[id]!)),
    );
    assert.equal(
      squares(1024, 3, bytes),
      rows.reduce((sum, row) => sum + product(row, row), 0),
    );
    const gathered = ids.reduce<Float32Array>((to, id, k) => added(to, scales[k]!, rows[id]!), y.slice());
    gather(4160, 1024, 4096, 3, bytes, 512);
    assert.deepEqual(y, gathered);
    const scattered = rows.map((row, r) =>
      ids.reduce<Float32Array>((to, id, k) => (id === r ? added(to, scales[k]!, x) : to), row.slice()),
    );
    scatter(4160, 0, 1024, 4096, 3, bytes);
    assert.deepEqual(rows, scattered);
  }
});
