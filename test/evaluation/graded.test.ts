import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { gradedNdcg } from '../../src/evaluation/graded.js';

test('a list by hand', () => {
  // Predicted order: values 3, 5, 1. Gains 7, 31, 1; the best order is 5, 3, 1.
  const dcg = 7 + 31 / Math.log2(3);
  const best = 31 + 7 / Math.log2(3);
  const close = (found: number, expected: number): void => assert.ok(Math.abs(found - expected) < 1e-12);
  close(gradedNdcg([0.2, 0.9, 0.1], [5, 3, 1], 2), dcg / best);
  close(gradedNdcg([0.2, 0.9, 0.1], [5, 3, 1], 1), 7 / 31);
  close(gradedNdcg([0.2, 0.9, 0.1], [5, 3, 1], 1, 'linear'), 3 / 5);
});

test('equal predictions gain the mean of their places, whatever their order', () => {
  const found = gradedNdcg([1, 1, 1], [5, 3, 1], 1);
  assert.ok(Math.abs(found - (31 + 7 + 1) / 3 / 31) < 1e-12);
  assert.equal(gradedNdcg([1, 1, 1], [1, 5, 3], 1), found);
});

test('a list in the right order is 1, none is beyond 0 and 1, and one without any gain is 1', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.double({ noNaN: true, min: -9, max: 9 }), fc.integer({ min: 0, max: 5 })), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.integer({ min: 1, max: 12 }),
      (list, k) => {
        const values = list.map(([, value]) => value);
        const found = gradedNdcg(
          list.map(([score]) => score),
          values,
          k,
        );
        assert.ok(found >= 0 && found <= 1 + 1e-12);
        assert.ok(Math.abs(gradedNdcg(values, values, k) - 1) < 1e-12);
      },
    ),
  );
  assert.equal(gradedNdcg([1, 2], [0, 0], 2), 1);
});

test('values of any size, play counts among them, have an NDCG; one below 0 gains as little as 0', () => {
  const close = (found: number, expected: number): void => assert.ok(Math.abs(found - expected) < 1e-12);
  assert.equal(gradedNdcg([2, 1], [5000, 4000], 2), 1);
  close(gradedNdcg([1, 2], [5000, 4000], 1), 0);
  close(gradedNdcg([1, 2], [2001, 2000], 1), 1 / 2);
  for (const kind of ['exponential', 'linear'] as const) {
    close(gradedNdcg([1, 2], [3, -4], 2, kind), 1 / Math.log2(3));
    assert.equal(gradedNdcg([1, 2], [-1, -2], 2, kind), 1);
  }
});
