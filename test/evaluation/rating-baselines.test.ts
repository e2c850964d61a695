import assert from 'node:assert/strict';
import { test } from 'node:test';
import { biasRater, itemMeanRater, meanRater } from '../../src/evaluation/cold/rating-baselines.js';
import type { Query } from '../../src/types.js';
import { catalogueOf, datasetOf } from '../suites/fixtures.js';

/** Item 1 is liked (5, 5), item 2 is not (1, 1); item 3 has no train row. */
const DATASET = datasetOf(catalogueOf(3, 3), [
  { user: 1, item: 1, value: 5 },
  { user: 1, item: 2, value: 1 },
  { user: 2, item: 1, value: 5 },
  { user: 2, item: 2, value: 1 },
  { user: 3, item: 3, value: 4, split: 'test' },
]);
const query = (items: number[], values: number[]): Query => ({
  user: 3,
  items: Int32Array.from(items),
  behaviours: new Uint8Array(items.length),
  values: Float32Array.from(values),
});
const ALL = Int32Array.of(1, 2, 3);

test('the mean of the train rows, and items’ shrunken means', () => {
  assert.deepEqual([...meanRater(DATASET).rate(query([], []), ALL)], [3, 3, 3]);
  // (10 − 2 · 3) / (2 + 5)
  const found = itemMeanRater(DATASET).rate(query([], []), ALL);
  [3 + 4 / 7, 3 - 4 / 7, 3].forEach((expected, i) => {
    assert.ok(Math.abs(found[i]! - expected) < 1e-6);
  });
});

test('a user’s bias is the shrunken mean residual of what was given', () => {
  const rater = biasRater(DATASET);
  const before = rater.rate(query([], []), ALL);
  const given = rater.rate(query([3, 2], [5, Number.NaN]), ALL);
  const bias = (5 - 3) / (1 + rater.shrinkage);
  for (let i = 0; i < 3; i++) assert.ok(Math.abs(given[i]! - before[i]! - bias) < 1e-6);
});
