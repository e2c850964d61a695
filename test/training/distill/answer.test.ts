import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../../src/random.js';
import { answerOf } from '../../../src/training/distill/answer.js';
import { layoutOf } from '../../../src/training/distill/record.js';

test('the best come first, padding never, and the others are drawn as often as they are likely', () => {
  // Column 0 is padding; the second row is asked for. Best: 3 and 1. Of what is left, 2 has 3/4 and 4 has 1/4.
  const row = [9, 0.3, 0.15, 0.5, 0.05];
  const layout = layoutOf(4, 2, 8, 0);
  const given = Float32Array.from([0, 0, 0, 0, 0, ...row]);
  const { ids, probabilities } = answerOf(layout, given, 5, 5, new Random(1));
  assert.deepEqual([...ids], [3, 1, 2, 2, 2, 2, 2, 2, 4, 4]);
  assert.deepEqual([...probabilities], [0.5, 0.3, ...Array(6).fill(0.15), 0.05, 0.05].map(Math.fround));
});

test('no others: nothing is drawn; a teacher sure of its best leaves the places empty', () => {
  const sure = answerOf(layoutOf(4, 2, 2, 0), Float32Array.of(0, 1, 0, 0, 0), 0, 5, new Random(1));
  assert.deepEqual([...sure.ids.subarray(0, 1)], [1]);
  assert.deepEqual([...sure.ids.subarray(2)], [0, 0]);
  const all = answerOf(layoutOf(2, 9, 9, 0), Float32Array.of(0, 0.4, 0.6), 0, 3, new Random(1));
  assert.deepEqual([...all.ids], [2, 1]);
});

test('over many draws the sum over the drawn ones is that over all others', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 4, maxLength: 12 }),
      (x) => {
        const total = x.reduce((a, b) => a + b, 0);
        const p = Float32Array.from([0, ...x.map((v) => v / total)]);
        const layout = layoutOf(x.length, 1, 3, 0);
        const value = (item: number): number => Math.sin(item);
        let mean = 0;
        const rounds = 400;
        let rest = 0;
        let exact = 0;
        for (let n = 0; n < rounds; n++) {
          const { ids } = answerOf(layout, p.slice(), 0, p.length, Random.of(n, 'draw'));
          rest = 1 - p[ids[0]!]!;
          exact = p.reduce((s, q, j) => s + (j === ids[0] ? 0 : q * value(j)), 0);
          mean += ids.slice(1).reduce((s, j) => s + (rest / 3) * value(j), 0) / rounds;
        }
        assert.ok(Math.abs(mean - exact) < 0.1, `${mean} for ${exact}`);
      },
    ),
    { numRuns: 20 },
  );
});
