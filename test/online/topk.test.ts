import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { topK } from '../../src/compute/topk.js';

test('top-k equals a full sort: by score, then by index, without padding, excluded and NaN', () => {
  const score = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(Number.NaN), fc.float());
  fc.assert(
    fc.property(
      fc.array(score, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: 70 }),
      fc.uniqueArray(fc.nat(60)),
      fc.nat(5),
      (row, k, barred, offset) => {
        const scores = Float32Array.from([...new Array<number>(offset).fill(99), ...row]);
        const excluded = new Set(barred);
        const expected = Array.from(row.keys())
          .filter((i) => i > 0 && !excluded.has(i) && !Number.isNaN(scores[offset + i]))
          .sort((a, b) => scores[offset + b]! - scores[offset + a]! || a - b)
          .slice(0, k);
        const found = topK(scores, offset, row.length, k, excluded);
        assert.deepEqual([...found.items], expected);
        assert.deepEqual(
          [...found.scores],
          expected.map((i) => scores[offset + i]),
        );
      },
    ),
    { numRuns: 500 },
  );
});
