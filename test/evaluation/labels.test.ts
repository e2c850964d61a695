import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { auc, labelMetrics, ratingMetrics } from '../../src/evaluation/labels.js';
import { heldOutPairs, meanTrainValue, scorePairs } from '../../src/evaluation/pairs.js';
import { evaluationQueries } from '../../src/evaluation/queries.js';
import { close, makeDataset, tableScorer } from './fixture.js';

test('the area by hand, with ties half', () => {
  assert.equal(auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 0.75);
  assert.equal(auc([1, 1, 1, 1], [0, 1, 0, 1]), 0.5);
  assert.equal(auc([1, 2, 2, 3], [0, 0, 1, 1]), 0.875);
  assert.ok(Number.isNaN(auc([1, 2], [1, 1])));
});

test('the area equals the share of pairs in the right order', () => {
  const pair = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1 }));
  fc.assert(
    fc.property(fc.array(pair, { minLength: 2, maxLength: 30 }), (pairs) => {
      const positives = pairs.filter(([, y]) => y === 1);
      const negatives = pairs.filter(([, y]) => y === 0);
      fc.pre(positives.length > 0 && negatives.length > 0);
      let right = 0;
      for (const [p] of positives) for (const [n] of negatives) right += p > n ? 1 : p === n ? 0.5 : 0;
      const area = auc(
        pairs.map(([s]) => s),
        pairs.map(([, y]) => y),
      );
      assert.ok(close(area, right / positives.length / negatives.length, 1e-12));
    }),
  );
});

test('log-loss from logits by hand, and without overflow', () => {
  const { logloss, accuracy, majority } = labelMetrics([0, Math.log(3), -Math.log(3)], [1, 1, 1]);
  assert.ok(close(logloss, -(Math.log(0.5) + Math.log(0.75) + Math.log(0.25)) / 3));
  assert.ok(close(accuracy, 1 / 3) && majority === 1);
  assert.equal(labelMetrics([1000, -1000], [0, 1]).logloss, 1000);
});

test('RMSE and MAE by hand', () => {
  const { rmse, mae } = ratingMetrics([3, 5], [4, 2]);
  assert.ok(close(rmse, Math.sqrt(5)) && mae === 2);
});

test('held-out pairs are scored one by one, and rows without a value left out', async () => {
  const data = makeDataset([
    ['u', 'a', 'train', { value: 2 }],
    ['u', 'b', 'test', { value: 5 }],
    ['v', 'a', 'train', { value: 4 }],
    ['v', 'b', 'test'],
    ['v', 'c', 'test', { value: 1 }],
  ]);
  const evaluation = evaluationQueries(data, 'test');
  const pairs = heldOutPairs(data, evaluation, 'test');
  assert.deepEqual([...pairs.value], [5, 1]);
  const scores = await scorePairs(tableScorer({ 1: [1, 2, 3], 2: [4, 5, 6] }, 3), evaluation, pairs);
  assert.deepEqual([...scores], [2, 6]);
  assert.equal(meanTrainValue(data), 3);
});
