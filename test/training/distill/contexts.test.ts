import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layOut, stretchesOf } from '../../../src/training/distill/contexts.js';
import type { TrainRows } from '../../../src/training/train-rows.js';

/** Users of so many events; item = 1 + row, behaviour 1; rows whose number is a multiple of `skip` are no targets; baskets of so many. */
function rowsOf(counts: readonly number[], skip = 0, basket = 1): TrainRows {
  const total = counts.reduce((a, b) => a + b, 0);
  const offsets = new Int32Array(counts.length + 2);
  counts.forEach((n, u) => {
    offsets[u + 2] = offsets[u + 1]! + n;
  });
  return {
    users: counts.length,
    offsets,
    item: Int32Array.from({ length: total }, (_, r) => 1 + r),
    behaviour: new Int32Array(total).fill(1),
    value: new Float32Array(total),
    weight: Float32Array.from({ length: total }, (_, r) => (skip > 0 && r % skip === 0 ? 0 : 1)),
    begins: Int32Array.from(
      counts.flatMap((n, u) =>
        Array.from({ length: n }, (_, k) => offsets[u + 1]! + basket * Math.floor(k / basket)),
      ),
    ),
  };
}

test('a history that fits is asked about at once; a longer one in halves, each after the half before it', () => {
  const rows = rowsOf([3, 10]);
  assert.deepEqual(stretchesOf(rows, 4, true), [
    { user: 1, from: 0, start: 0, end: 3 },
    { user: 2, from: 8, start: 11, end: 13 },
    { user: 2, from: 6, start: 9, end: 11 },
    { user: 2, from: 4, start: 7, end: 9 },
    { user: 2, from: 3, start: 3, end: 7 },
  ]);
  assert.equal(stretchesOf(rows, 4, false).length, 13);
});

test('every target is asked about once, after no more and no other events than those before it or its basket', () => {
  const shape = fc.record({
    basket: fc.constantFrom(1, 2, 3),
    counts: fc.array(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 5 }),
    length: fc.integer({ min: 2, max: 11 }),
    skip: fc.constantFrom(0, 2, 5),
    positional: fc.boolean(),
  });
  fc.assert(
    fc.property(shape, ({ counts, length, skip, positional, ...shape }) => {
      // Half of the length is more than a basket.
      const basket = length < 8 ? 1 : shape.basket;
      const rows = rowsOf(counts, skip, basket);
      const seen = new Map<number, number>();
      const stretches = stretchesOf(rows, length, positional);
      for (let from = 0; from < stretches.length; from += 2) {
        const asked = layOut(rows, stretches.slice(from, from + 2), 2, length);
        const { users, items, positions } = asked.inputs;
        const steps = items!.shape[1]!;
        asked.rows.forEach((row, n) => {
          seen.set(row, (seen.get(row) ?? 0) + 1);
          const at = positions!.data[n]!;
          const line = Math.floor(at / steps);
          const user = users!.data[line]!;
          const first = rows.offsets[user]!;
          // What a causal model sees at its position ends with the event before the target.
          const history = [...items!.data.subarray(line * steps, at + 1)].filter((item) => item > 0);
          const until = rows.begins![row]!;
          const before = Array.from({ length: until - first }, (_, k) => 1 + first + k);
          assert.deepEqual(history, before.slice(before.length - history.length));
          const least = positional ? Math.min(before.length, Math.floor(length / 2) - (basket - 1)) : 0;
          assert.ok(history.length >= least, `${history.length} of ${before.length} before row ${row}`);
          if (!positional) {
            assert.equal(at % steps, steps - 1);
            assert.equal(history.length, Math.min(before.length, length));
          }
        });
      }
      const targets = [...rows.weight.keys()].filter((r) => rows.weight[r]! > 0);
      assert.deepEqual(
        [...seen.keys()].sort((a, b) => a - b),
        targets,
      );
      assert.ok([...seen.values()].every((n) => n === 1));
    }),
  );
});
