import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeSafetensors, encodeSafetensors, findNonFinite } from '../../src/storage/safetensors.js';
import { readTensorFile, writeTensorFile } from '../../src/storage/tensor-file.js';
import type { HostTensor, TensorMap } from '../../src/types.js';
import { temporary, tinyTensors } from './fixtures.js';

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const size = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
const tensor: fc.Arbitrary<HostTensor> = shapes.chain((shape) => {
  const bounds = { minLength: size(shape), maxLength: size(shape) };
  return fc.oneof(
    fc.float32Array(bounds).map((data) => ({ dtype: 'F32' as const, shape, data: data as Float32Array })),
    fc.int32Array(bounds).map((data) => ({ dtype: 'I32' as const, shape, data: data as Int32Array })),
    fc.uint8Array(bounds).map((data) => ({ dtype: 'U8' as const, shape, data: data as Uint8Array })),
  );
});
const names = fc
  .oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', '0', 'constructor'))
  .filter((name) => name !== '__metadata__');
const maps: fc.Arbitrary<TensorMap> = fc
  .uniqueArray(fc.tuple(names, tensor), { selector: ([name]) => name, maxLength: 6 })
  .map((e) => new Map(e));

/** Same names, and bit-equal values (NaN payloads and −0 included). */
function assertSame(actual: TensorMap, expected: TensorMap): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, { dtype, shape, data }] of expected) {
    const found = actual.get(name)!;
    assert.deepEqual([found.dtype, found.shape], [dtype, shape]);
    assert.equal(
      Buffer.compare(
        Buffer.from(found.data.buffer, found.data.byteOffset, found.data.byteLength),
        Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      ),
      0,
      name,
    );
  }
}

test('any tensors come back bit for bit, from memory at any alignment and from a file', async (t) => {
  const dir = await temporary(t);
  await fc.assert(
    fc.asyncProperty(maps, fc.integer({ min: 0, max: 7 }), async (tensors, shift) => {
      const bytes = encodeSafetensors(tensors, { origin: 'test' });
      const shifted = new Uint8Array(bytes.byteLength + shift).subarray(shift);
      shifted.set(bytes);
      assertSame(decodeSafetensors(shifted, 'memory'), tensors);
      const path = join(dir, 'x.safetensors');
      const record = await writeTensorFile(path, tensors, { origin: 'test' });
      assert.equal(record.bytes, bytes.byteLength);
      assertSame(await readTensorFile(path, record), tensors);
    }),
    { numRuns: 60 },
  );
});

test('the layout is the published one', () => {
  const bytes = encodeSafetensors(
    new Map<string, HostTensor>([
      ['mask', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ['b', { dtype: 'F32', shape: [1], data: Float32Array.of(1) }],
      ['a', { dtype: 'I32', shape: [1], data: Int32Array.of(-1) }],
    ]),
  );
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assert.equal(length % 8, 0);
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  assert.match(header, /\} *$/);
  assert.equal(
    header.trimEnd(),
    '{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"mask":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}',
  );
  assert.deepEqual([...bytes.subarray(8 + length)], [255, 255, 255, 255, 0, 0, 128, 63, 1, 2, 3]);
});

/** A file with this header and so many bytes of data. */
function file(header: unknown, data = 0, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}
const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

const malformed: Record<string, [Uint8Array, RegExp, string?]> = {
  'an empty file': [new Uint8Array(0), /0 bytes are too few/],
  'seven bytes': [new Uint8Array(7), /7 bytes are too few/],
  'a giant header length': [
    file({}, 0, 2n ** 63n),
    /9223372036854775808 bytes long; this is no safetensors file/,
  ],
  'a header longer than the file': [file({}, 0, 99n), /cut off inside the header/],
  'a header that is no object': [file('[]'), /does not begin with "\{"/],
  'leading white space': [file(' {}'), /does not begin/],
  'broken JSON': [file('{"a":'), /not JSON in UTF-8/],
  'broken UTF-8': [file('{"\u0000'.replace('\u0000', '')).fill(0xff, 10), /not JSON in UTF-8|does not begin/],
  'metadata of numbers': [file({ __metadata__: { a: 1 } }), /__metadata__ is not a map of strings/],
  'no dtype': [file({ a: { shape: [], data_offsets: [0, 4] } }, 4), /tensor "a": dtype/],
  'a negative size': [file({ a: f32(0, 4, [-1]) }, 4), /tensor "a": shape/],
  'a fractional size': [file({ a: f32(0, 4, [0.5]) }, 4), /tensor "a": shape/],
  'three offsets': [
    file({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 4),
    /tensor "a": data_offsets/,
  ],
  'an unknown dtype': [file({ a: { ...f32(0, 4), dtype: 'F33' } }, 4), /tensor "a": unknown dtype "F33"/],
  'a dtype of others': [
    file({ a: { ...f32(0, 4), dtype: 'BF16' } }, 4),
    /expected F32, I32 or U8, found BF16/,
    'CHECKPOINT_INCOMPATIBLE',
  ],
  'an end before its begin': [file({ a: f32(8, 4, [1]) }, 8), /ends at byte 4, before its begin 8/],
  'a size that does not match the shape': [
    file({ a: f32(0, 8, [3]) }, 8),
    /needs 12 bytes, its offsets span 8/,
  ],
  'a shape whose product overflows': [
    file({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4),
    /needs \S+ bytes, its offsets span 4/,
  ],
  'a hole': [file({ a: f32(0, 4), b: f32(8, 12) }, 12), /4 bytes before tensor "b" belong to none/],
  'a hole at the start': [file({ a: f32(4, 8) }, 8), /4 bytes before tensor "a"/],
  'an overlap': [file({ a: f32(0, 8), b: f32(4, 12) }, 12), /tensor "b" overlaps/],
  'missing data': [file({ a: f32(0, 8) }, 7), /cut off: 7 bytes of tensors, the header needs 8/],
  'data left over': [file({ a: f32(0, 8) }, 9), /1 bytes after the last tensor/],
};
for (const [kind, [bytes, message, code = 'CHECKPOINT_DAMAGED']] of Object.entries(malformed)) {
  test(`malformed: ${kind}`, () => {
    assert.throws(() => decodeSafetensors(bytes, 'model.safetensors'), { code, message });
    assert.throws(() => decodeSafetensors(bytes, 'model.safetensors'), { message: /^model\.safetensors: / });
  });
}

test('random damage to the header never does worse than a named error', () => {
  const whole = encodeSafetensors(tinyTensors);
  const header = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: header - 1 }),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(whole.length),
      (at, mask, cut) => {
        const bytes = whole.slice();
        bytes[at]! ^= mask;
        for (const damaged of [bytes, whole.slice(0, cut)]) {
          try {
            decodeSafetensors(damaged, 'w');
          } catch (error) {
            assert.match(String(error), /^RecsysError: w: /);
          }
        }
      },
    ),
  );
});

test('NaN and infinities are found', () => {
  assert.equal(findNonFinite(tinyTensors), undefined);
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    const tensors = new Map([['w', { dtype: 'F32' as const, shape: [2], data: Float32Array.of(0, value) }]]);
    assert.deepEqual(findNonFinite(tensors), { name: 'w', index: 1, value });
  }
});

const python = process.env.RECSYS_PYTHON ?? 'python3';
const hasPackage = spawnSync(python, ['-c', 'import safetensors.numpy']).status === 0;
test('the safetensors Python package reads what we write, and we what it writes', {
  skip: hasPackage ? false : 'no Python with safetensors',
}, async (t) => {
  const dir = await temporary(t);
  await writeFile(join(dir, 'ours'), encodeSafetensors(tinyTensors, { model: 'mlp' }));
  const script = `
import sys, json
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
t = load_file(sys.argv[1])
assert safe_open(sys.argv[1], 'np').metadata() == {'model': 'mlp'}
save_file(t, sys.argv[2], {'by': 'python'})
print(json.dumps({k: [str(v.dtype), list(v.shape), v.ravel().tolist()] for k, v in t.items()}))`;
  const seen = JSON.parse(
    execFileSync(python, ['-c', script, join(dir, 'ours'), join(dir, 'theirs')], { encoding: 'utf8' }),
  ) as unknown;
  assert.deepEqual(seen, {
    'item.embedding': ['float32', [4, 2], [0, 0, 0.5, -1, 2, Math.fround(1e-20), -0, 3]],
    bias: ['float32', [], [7]],
    mask: ['uint8', [3], [1, 0, 255]],
  });
  assertSame(await readTensorFile(join(dir, 'theirs')), tinyTensors);
});
