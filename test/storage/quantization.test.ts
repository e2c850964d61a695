import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FLOAT16_MAX, fromFloat16, toFloat16 } from '../../src/storage/float16.js';
import { countParameters, pack, quantizationOf, unpack } from '../../src/storage/quantization.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/storage/safetensors.js';
import type { HostTensor, StoredMap, TensorMap } from '../../src/types.js';

const LARGEST = 3.4028234663852886e38;
const matrix = (width: number, ...data: number[]): TensorMap =>
  new Map([['w', { dtype: 'F32', shape: [data.length / width, width], data: Float32Array.from(data) }]]);
const valuesOf = (tensors: TensorMap): Float32Array => tensors.get('w')!.data as Float32Array;
const through = (tensors: TensorMap): Float32Array => valuesOf(unpack(pack(tensors, 'int8'), 'test'));

const matrices = fc
  .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 2, max: 6 }))
  .chain(([rows, width]) =>
    fc
      .float32Array({
        minLength: rows * width,
        maxLength: rows * width,
        noNaN: true,
        noDefaultInfinity: true,
      })
      .map((data): HostTensor => ({ dtype: 'F32', shape: [rows, width], data: data as Float32Array })),
  );

test('int8: no value moves by more than half its row’s scale, at any magnitude', () => {
  fc.assert(
    fc.property(matrices, (tensor) => {
      const packed = pack(new Map([['w', tensor]]), 'int8');
      const found = valuesOf(unpack(packed, 'test'));
      const scales = packed.get('w.scale')!.data;
      const width = tensor.shape[1]!;
      assert.equal(found.length, tensor.data.length);
      tensor.data.forEach((value, i) => {
        const scale = scales[Math.floor(i / width)]!;
        // The product is a float32 again: its rounding comes on top.
        const allowed = scale / 2 + Math.abs(value) * 2 ** -23;
        assert.ok(Number.isFinite(found[i]!), `${value} → ${found[i]}`);
        assert.ok(Math.abs(found[i]! - value) <= allowed, `${value} → ${found[i]}, scale ${scale}`);
      });
    }),
    { numRuns: 500 },
  );
});

test('int8, by hand: a row’s largest magnitude is ±127', () => {
  const packed = pack(matrix(3, 127, -63.4, 0.6, 2.54, -2.54, 0.02), 'int8');
  assert.deepEqual(packed.get('w'), {
    dtype: 'I8',
    shape: [2, 3],
    data: Int8Array.of(127, -63, 1, 127, -127, 1),
  });
  assert.deepEqual([...packed.get('w.scale')!.data], [1, Math.fround(0.02)]);
});

test('int8: rows of zeros, −0, subnormal and the largest values', () => {
  assert.deepEqual(
    [...pack(matrix(2, 0, -0, 1, -0), 'int8').get('w.scale')!.data],
    [0, Math.fround(1 / 127)],
  );
  assert.deepEqual([...through(matrix(2, 0, -0, 1, -0))], [0, 0, 1, 0]);
  const tiny = 2 ** -149;
  assert.deepEqual([...through(matrix(2, tiny, -3 * tiny))], [tiny, -3 * tiny]);
  assert.deepEqual([...through(matrix(2, 178 * tiny, -3 * tiny))], [178 * tiny, -2 * tiny]);
  const most = through(matrix(2, LARGEST, -LARGEST));
  assert.ok(most.every(Number.isFinite) && most[0]! > LARGEST * 0.999 && most[1] === -most[0]!);
});

test('vectors, columns, scalars and whole numbers stay as they are; nothing is quantized where none is asked for', () => {
  const small: TensorMap = new Map([
    ['gain', { dtype: 'F32', shape: [3], data: Float32Array.of(1, 2, 3) }],
    ['bias', { dtype: 'F32', shape: [3, 1], data: Float32Array.of(1, 2, 3) }],
    ['scalar', { dtype: 'F32', shape: [], data: Float32Array.of(7) }],
    ['ids', { dtype: 'I32', shape: [1, 2], data: Int32Array.of(1, 2) }],
  ]);
  for (const quantization of ['none', 'float16', 'int8'] as const) {
    assert.deepEqual(pack(small, quantization), small);
    assert.deepEqual(unpack(pack(small, quantization), 'test'), small);
  }
  assert.deepEqual(pack(matrix(2, 1, 2), 'none'), matrix(2, 1, 2));
});

test('scales are no parameters, and the tensors say how they are stored', () => {
  const tensors = matrix(2, 1, 2, 3, 4);
  for (const quantization of ['none', 'float16', 'int8'] as const) {
    const packed = pack(tensors, quantization);
    assert.equal(countParameters(packed), 4);
    assert.equal(quantizationOf(packed), quantization);
  }
});

test('float16: every half float comes back, and what lies between goes to the nearest, ties to even', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = fromFloat16(bits);
    if (Number.isNaN(value)) assert.equal(toFloat16(value), 0x7e00);
    else assert.equal(toFloat16(value), bits, `${bits.toString(16)} is ${value}`);
    const [low, high] = [value, fromFloat16(bits + 1)];
    if ((bits & 0x7fff) >= 0x7bff) continue;
    const middle = (low + high) / 2;
    assert.equal(toFloat16(middle), bits % 2 === 0 ? bits : bits + 1, `between ${low} and ${high}`);
    assert.equal(toFloat16(middle + (low - middle) / 64), bits);
    assert.equal(toFloat16(middle + (high - middle) / 64), bits + 1);
  }
  assert.ok(Object.is(fromFloat16(toFloat16(-0)), -0));
  assert.equal(toFloat16(2 ** -25), 0);
  assert.equal(toFloat16(2 ** -149), 0);
  assert.equal(fromFloat16(toFloat16(65519)), FLOAT16_MAX);
  assert.equal(fromFloat16(toFloat16(65520)), Number.POSITIVE_INFINITY);
  assert.equal(fromFloat16(toFloat16(-LARGEST)), Number.NEGATIVE_INFINITY);
});

test('float16: a value beyond its range is refused with what to use instead', () => {
  assert.throws(() => pack(matrix(2, 1, 65520), 'float16'), {
    code: 'CHECKPOINT_INCOMPATIBLE',
    message: /tensor "w" holds 65520 at position 1, and float16 ends at ±65504/,
    remedy: /quantize: int8/,
  });
  assert.equal(valuesOf(unpack(pack(matrix(2, 1, -65519), 'float16'), 'test'))[1], -65504);
});

test('packed tensors go through a file, of which plain readers say what they found', () => {
  const packed = new Map([
    ...pack(matrix(3, 1, -2, 3), 'int8'),
    ['half', pack(matrix(3, 1, -2, 3), 'float16').get('w')!] as const,
  ]);
  const bytes = encodeSafetensors(packed);
  assert.throws(() => decodeSafetensors(bytes, 'features'), {
    code: 'CHECKPOINT_INCOMPATIBLE',
    message: /features: tensor "\w+": expected F32, I32 or U8, found (F16|I8)/,
  });
});

test('I8 without its scales, with others, or with a level that is none is damaged', () => {
  const damage = (change: (stored: StoredMap) => void, message: RegExp): void => {
    const stored = pack(matrix(2, 1, 2, 3, 4), 'int8');
    change(stored);
    assert.throws(() => unpack(stored, 'weights'), { code: 'CHECKPOINT_DAMAGED', message });
  };
  const scales = (...data: number[]) => ({
    dtype: 'F32' as const,
    shape: [data.length],
    data: Float32Array.from(data),
  });
  damage((s) => s.delete('w.scale'), /weights: tensor "w\.scale": expected F32 \[2\], found none/);
  damage((s) => s.set('w.scale', scales(1)), /expected F32 \[2\], found F32 \[1\]/);
  damage((s) => s.set('w.scale', scales(1, -1)), /-1 at position 1 is no scale/);
  damage((s) => s.set('w.scale', scales(Number.NaN, 1)), /NaN at position 0/);
  damage((s) => s.set('w.scale', scales(1, LARGEST)), /at position 1/);
  damage((s) => (s.get('w')!.data[0] = -128), /tensor "w": −128 is no level/);
});
