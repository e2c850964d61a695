import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecsysError } from '../../src/errors.js';
import { decodeNpy, encodeNpy } from '../../src/storage/npy.js';
import { temporary } from './fixtures.js';

const arrays = fc
  .array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 3 })
  .chain((shape) =>
    fc
      .float32Array({ minLength: shape.reduce((a, b) => a * b), maxLength: shape.reduce((a, b) => a * b) })
      .map((data) => ({ shape, data: data as Float32Array })),
  );

test('what is written is read back, wherever the bytes lie in memory', () => {
  fc.assert(
    fc.property(arrays, fc.integer({ min: 0, max: 7 }), ({ shape, data }, shift) => {
      const file = encodeNpy(shape, data);
      const moved = Buffer.concat([Buffer.alloc(shift), file]).subarray(shift);
      assert.deepEqual(decodeNpy(moved, 'x'), { shape, data });
    }),
  );
});

test('the header is padded so that the data begin at a multiple of 64', () => {
  const file = encodeNpy([2, 3], new Float32Array(6));
  const text = Buffer.from(file).toString('latin1');
  assert.equal(file.length, 128 + 24);
  assert.equal(text.slice(0, 8), '\x93NUMPY\x01\x00');
  assert.match(text.slice(10, 128), /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} *\n$/);
});

test('another array, and one cut off, are refused', () => {
  const file = encodeNpy([4], new Float32Array(4));
  const doubles = Buffer.from(Buffer.from(file).toString('latin1').replace('<f4', '<f8'), 'latin1');
  for (const bad of [
    file.subarray(0, -1),
    file.subarray(0, 5),
    doubles,
    new Uint8Array(0),
    file.map((b, i) => (i === 1 ? 0 : b)),
  ])
    assert.throws(
      () => decodeNpy(bad, 'x.npy'),
      (error) => error instanceof RecsysError && error.code === 'DATA_UNREADABLE',
    );
});

const numpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;

test('NumPy reads it', { skip: numpy ? false : 'python3 has no numpy' }, async (t) => {
  const file = join(await temporary(t), 'x.npy');
  await writeFile(file, encodeNpy([2, 2], Float32Array.of(1, 2, 3, 4.5)));
  const { stdout } = spawnSync('python3', [
    '-c',
    'import numpy, sys; print(numpy.load(sys.argv[1]).tolist())',
    file,
  ]);
  assert.equal(stdout.toString(), '[[1.0, 2.0], [3.0, 4.5]]\n');
});
