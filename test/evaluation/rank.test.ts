import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rankAmong, rankTargets } from '../../src/evaluation/rank.js';
import { bestItems } from '../../src/evaluation/topk.js';

const none = new Int32Array(0);
const ids = (...items: number[]): Int32Array => Int32Array.from(items);
const row = (...scores: number[]): Float32Array => Float32Array.from([Number.NaN, ...scores]);

test('the rank is the number of better candidates; the padding column is never read', () => {
  assert.deepEqual([...rankTargets(row(3, 1, 2), 3, 0, ids(2), none)], [2]);
  assert.deepEqual([...rankTargets(row(3, 1, 2), 3, 0, ids(1, 3), none)], [0, 1]);
});

test('the second row of a batch', () => {
  assert.deepEqual([...rankTargets(Float32Array.of(0, 9, 1, 0, 1, 9), 2, 1, ids(1), none)], [1]);
});

test('ties count half: all tied, the target is in the middle', () => {
  assert.deepEqual([...rankTargets(row(1, 1, 1, 1, 1), 5, 0, ids(4), none)], [2]);
  assert.deepEqual([...rankTargets(row(1, 1, 1, 1), 4, 0, ids(1), none)], [1.5]);
});

test('tied targets spread over the tied places and never share one', () => {
  assert.deepEqual([...rankTargets(row(1, 1, 1), 3, 0, ids(1, 2, 3), none)], [0, 1, 2]);
  assert.deepEqual([...rankTargets(row(1, 1, 1, 1, 1), 5, 0, ids(1, 2), none)], [1, 3]);
});

test('a catalogue of one item', () => {
  assert.deepEqual([...rankTargets(row(-5), 1, 0, ids(1), none)], [0]);
});

test('seen items leave the ranking, a target among them stays', () => {
  assert.deepEqual([...rankTargets(row(5, 4, 3), 3, 0, ids(3), ids(1, 2))], [0]);
  assert.deepEqual([...rankTargets(row(5, 4, 3), 3, 0, ids(2), ids(1, 2))], [0]);
  assert.deepEqual([...rankTargets(row(2, 2, 2), 3, 0, ids(3), ids(1, 1, 2))], [0]);
});

test('only candidates compete, and a target outside them is infinitely far', () => {
  const mask = Uint8Array.of(0, 0, 1, 1);
  assert.deepEqual([...rankTargets(row(9, 1, 2), 3, 0, ids(2), none, mask)], [1]);
  assert.deepEqual(
    [...rankTargets(row(9, 1, 2), 3, 0, ids(1, 3), none, mask)],
    [0, Number.POSITIVE_INFINITY],
  );
  assert.deepEqual([...rankTargets(row(9, 1, 2), 3, 0, ids(2), ids(1), mask)], [1]);
});

test('infinite scores have places', () => {
  const { POSITIVE_INFINITY: up, NEGATIVE_INFINITY: down } = Number;
  assert.deepEqual([...rankTargets(row(up, 0, down), 3, 0, ids(2), none)], [1]);
});

test('NaN is refused by the name of the scorer, whether it is the target’s or another’s', () => {
  for (const scores of [row(1, Number.NaN, 2), row(Number.NaN, 1, 2)]) {
    assert.throws(() => rankTargets(scores, 3, 0, ids(2), none, 'all', 'broken model'), {
      code: 'DIVERGED',
      message: /broken model scored item \d as NaN/,
    });
  }
});

test('among sampled negatives only they compete', () => {
  assert.deepEqual([...rankAmong(row(5, 4, 3, 2), 4, 0, ids(3), ids(2, 4))], [1]);
});

const scores = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 2, maxLength: 20 });

test('ranks agree with counting by hand, for scores of any size', () => {
  const score = fc.oneof(fc.float({ noNaN: true }), fc.constantFrom(0, 0.25, -0.5, 1e-30));
  const values = fc.array(score, { minLength: 1, maxLength: 15 });
  fc.assert(
    fc.property(values, fc.nat(), fc.nat(), (list, at, other) => {
      const n = list.length;
      const s = row(...list);
      const targets = [...new Set([1 + (at % n), 1 + (other % n)])].sort((a, b) => a - b);
      const seen = list.map((_, i) => i + 1).filter((item) => item % 3 === 0);
      const competing = list
        .map((_, i) => i + 1)
        .filter((item) => targets.includes(item) || !seen.includes(item));
      const expected = targets.map((target, j) => {
        const above = competing.filter((item) => s[item]! > s[target]!).length;
        const tied = competing.filter((item) => s[item]! === s[target]!).length;
        const group = targets.filter((item) => s[item]! === s[target]!);
        return above + ((group.indexOf(targets[j]!) + 1) * (tied + 1)) / (group.length + 1) - 1;
      });
      const ranks = rankTargets(s, n, 0, ids(...targets), ids(...seen));
      assert.deepEqual(
        [...ranks],
        expected.sort((a, b) => a - b),
      );
    }),
  );
});

test('a strictly growing transformation leaves the ranks as they are', () => {
  fc.assert(
    fc.property(scores, fc.nat(), (values, at) => {
      const target = ids(1 + (at % values.length));
      const before = rankTargets(row(...values), values.length, 0, target, none);
      const after = rankTargets(
        row(...values.map((x) => x ** 3 + 2 * x - 7)),
        values.length,
        0,
        target,
        none,
      );
      assert.deepEqual(after, before);
    }),
  );
});

test('renumbering the items leaves the ranks as they are', () => {
  fc.assert(
    fc.property(scores, fc.nat(), fc.nat(), (values, at, shift) => {
      const n = values.length;
      const target = at % n;
      const turned = values.map((_, i) => values[(i + shift) % n]!);
      const moved = (((target - shift) % n) + n) % n;
      assert.deepEqual(
        rankTargets(row(...turned), n, 0, ids(moved + 1), none),
        rankTargets(row(...values), n, 0, ids(target + 1), none),
      );
    }),
  );
});

test('the mean over the tied equals the mean over all orders that break the ties', () => {
  fc.assert(
    fc.property(scores, (values) => {
      const n = values.length;
      const ranks = values.map((_, i) => rankTargets(row(...values), n, 0, ids(i + 1), none)[0]!);
      assert.ok(Math.abs(ranks.reduce((a, b) => a + b, 0) - (n * (n - 1)) / 2) < 1e-9);
    }),
  );
});

test('the best items come best first, equal ones by index, without the excluded', () => {
  const best = bestItems(row(1, 5, 5, 9, 0), 5, 0, 3, [4]);
  assert.deepEqual([...best.items], [2, 3, 1]);
  assert.deepEqual([...bestItems(row(1, 5, 5), 3, 0, 10, [], Uint8Array.of(0, 1, 0, 1)).items], [3, 1]);
  assert.equal(bestItems(row(1, 2), 2, 0, 5, [1, 2]).items.length, 0);
});
