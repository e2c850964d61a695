import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trainRows } from '../../src/training/train-rows.js';
import { datasetOf, richCatalogue } from '../suites/fixtures.js';

test('the share of a user sample is of those who have targets, and at least one', () => {
  const dataset = datasetOf(richCatalogue(40, 6), [
    { user: 7, item: 1 },
    { user: 7, item: 2 },
    { user: 31, item: 3 },
    { user: 31, item: 2 },
  ]);
  for (const seed of [1, 2, 3, 4]) {
    const rows = trainRows(dataset, {}, { sample: { share: 0.02, seed } });
    const sampled = [7, 31].filter((u) =>
      rows.weight.subarray(rows.offsets[u], rows.offsets[u + 1]).some((w) => w > 0),
    );
    assert.equal(sampled.length, 1);
  }
});
