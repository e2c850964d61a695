import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type BatchFeed, feedOf } from '../../src/training/feed.js';
import { type BatchPlan, makeBatches } from '../../src/training/plan.js';
import { targetsSchema } from '../../src/training/schema.js';
import { trainRows } from '../../src/training/train-rows.js';
import { catalogueOf, datasetOf, randomEvents } from '../suites/fixtures.js';

// Workers are started from compiled files only.
const compiled = join(import.meta.dirname, '..', '..', 'dist', 'training', 'feed.js');
const skip = existsSync(compiled) ? false : 'not built (`npm run build`)';
const { startFeed } = skip
  ? { startFeed: undefined as never }
  : ((await import(compiled)) as typeof import('../../src/training/feed.js'));

const CATALOGUE = catalogueOf(9, 12);
const ROWS = trainRows(datasetOf(CATALOGUE, randomEvents(CATALOGUE, 4)), targetsSchema.parse({}));
const TIMED = trainRows(datasetOf(CATALOGUE, randomEvents(CATALOGUE, 4), 'epoch'), targetsSchema.parse({}), {
  timed: true,
});
const SHARED: BatchPlan = {
  kind: 'next-items',
  rows: ROWS,
  length: 4,
  batchSize: 3,
  seed: 7,
  fixedShapes: true,
  negatives: { need: ['sharedNegatives'], count: 5, items: 12, sampling: 'mixed' },
  masking: 0.4,
};
const PLANS: Record<string, BatchPlan> = {
  'next items': SHARED,
  'next items with times': { ...SHARED, rows: TIMED },
  'hidden items': { ...SHARED, kind: 'hidden-items' },
  pairs: { ...SHARED, kind: 'pairs' },
  'labelled pairs': {
    ...SHARED,
    kind: 'pairs',
    negatives: { need: [], count: 0, items: 12, sampling: 'uniform' },
    labelling: { minimumValue: undefined, regression: false, negatives: 2 },
  },
};

describe('batches from a worker', { skip }, () => {
  const closing = async (feed: BatchFeed, work: (feed: BatchFeed) => Promise<void>): Promise<void> => {
    try {
      await work(feed);
    } finally {
      await feed.close();
    }
  };
  const using = (plan: BatchPlan, work: (feed: BatchFeed) => Promise<void>): Promise<void> =>
    closing(startFeed(plan, makeBatches(plan)), work);

  for (const [name, plan] of Object.entries(PLANS))
    test(`${name}: are those made in this thread, in order, across epochs and from anywhere`, () =>
      using(plan, async (feed) => {
        const source = makeBatches(plan);
        assert.equal(feed.batchesPerEpoch, source.batchesPerEpoch);
        assert.ok(source.batchesPerEpoch > 2);
        for (const epoch of [0, 1])
          for (let i = 0; i < source.batchesPerEpoch; i++)
            assert.deepEqual(await feed.batch(epoch, i), source.batch(epoch, i));
        // As a resumed run begins.
        assert.deepEqual(await feed.batch(5, 1), source.batch(5, 1));
        assert.deepEqual(await feed.batch(5, 1), source.batch(5, 1), 'asked for again');
      }));

  test('the next ones are made before they are asked for', () =>
    using(SHARED, async (feed) => {
      await feed.batch(0, 0);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const order: string[] = [];
      const soon = feed.batch(0, 1).then(() => order.push('made before'));
      const later = feed.batch(9, 0).then(() => order.push('made now'));
      await Promise.all([soon, later]);
      assert.deepEqual(order, ['made before', 'made now']);
    }));

  test('a defect in the worker comes to who asks, then and later', () => {
    const feed = startFeed({ ...SHARED, rows: undefined as never }, makeBatches(SHARED));
    return closing(feed, async () => {
      await assert.rejects(feed.batch(0, 0), /offsets|rows|undefined/);
      await assert.rejects(feed.batch(0, 1));
      await assert.rejects(feed.batch(3, 0));
    });
  });

  test('closing ends what is waited for', async () => {
    const feed = startFeed(SHARED, makeBatches(SHARED));
    const asked = feed.batch(0, 0);
    await Promise.all([assert.rejects(asked, /ended/), feed.close()]);
  });

  test('without a worker they are made when asked for', async () => {
    const feed = feedOf(makeBatches(SHARED));
    assert.deepEqual(await feed.batch(1, 2), makeBatches(SHARED).batch(1, 2));
    await feed.close();
  });
});
