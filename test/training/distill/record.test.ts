import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeProbability,
  decodeRecord,
  encodeProbability,
  encodeRecord,
  layoutOf,
} from '../../../src/training/distill/record.js';

test('a probability’s code: 1 and 0 are exact, others within .03 %, and less than e⁻³² counts as e⁻³² or none', () => {
  assert.equal(encodeProbability(1), 0);
  assert.equal(decodeProbability(0), 1);
  assert.equal(decodeProbability(encodeProbability(0)), 0);
  fc.assert(
    fc.property(fc.double({ min: -31.9, max: 0, noNaN: true }), (log) => {
      const p = Math.exp(log);
      assert.ok(Math.abs(decodeProbability(encodeProbability(p)) / p - 1) < 3e-4);
    }),
  );
  assert.ok(decodeProbability(encodeProbability(1e-30)) < 1e-13);
  // The sum of rounded softmax values may lie a bit above 1.
  assert.equal(encodeProbability(1.0000001), 0);
});

test('a layout keeps no more than the catalogue has, draws none where all are kept, and ends on four bytes', () => {
  assert.deepEqual(layoutOf(1000, 3, 2, 0), { top: 3, tail: 2, layer: 0, idBytes: 2, bytes: 20 });
  assert.deepEqual(layoutOf(70_000, 3, 2, 5), { top: 3, tail: 2, layer: 5, idBytes: 4, bytes: 32 + 4 + 8 });
  assert.deepEqual(layoutOf(4, 64, 16, 0), { top: 4, tail: 0, layer: 0, idBytes: 2, bytes: 16 });
});

test('records round-trip: items exactly, probabilities and layers to their codes, anywhere in a file', () => {
  const record = fc.record({
    items: fc.constantFrom(100, 65_535, 65_536, 2_000_000),
    top: fc.integer({ min: 1, max: 9 }),
    tail: fc.integer({ min: 0, max: 5 }),
    width: fc.integer({ min: 0, max: 7 }),
    seed: fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), { minLength: 25, maxLength: 25 }),
    before: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(record, ({ items, top, tail, width, seed, before }) => {
      const layout = layoutOf(items, top, tail, width);
      const count = layout.top + layout.tail;
      const ids = Int32Array.from({ length: count }, (_, k) => 1 + Math.floor(seed[k]! * (items - 1)));
      const probabilities = Float32Array.from({ length: count }, (_, k) => seed[k]!);
      const layer = Float32Array.from({ length: width }, (_, d) => 10 * (seed[d]! - 0.5));
      const file = new Uint8Array((before + 1) * layout.bytes);
      file.set(encodeRecord(layout, { ids, probabilities, layer }), before * layout.bytes);
      const into = {
        ids: new Int32Array(2 * count),
        probabilities: new Float32Array(2 * count),
        layers: new Float32Array(2 * width),
      };
      decodeRecord(layout, file, before * layout.bytes, 1, into);
      assert.deepEqual(into.ids.subarray(count), ids);
      into.probabilities.subarray(count).forEach((p, k) => {
        assert.ok(Math.abs(p / probabilities[k]! - 1) < 3e-4);
      });
      const step = layer.reduce((m, x) => Math.max(m, Math.abs(x)), 0) / 127;
      into.layers.subarray(width).forEach((x, d) => {
        assert.ok(Math.abs(x - layer[d]!) <= step * 0.501);
      });
    }),
  );
});
