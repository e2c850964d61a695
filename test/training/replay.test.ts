import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BatchSource, i32 } from '../../src/training/batches.js';
import { growTogether, withReplay } from '../../src/training/replay.js';
import { datasetOf, randomEvents, richCatalogue } from '../suites/fixtures.js';

/** Batches that say of which source, epoch and index they are. */
const source = (of: number, batchesPerEpoch: number): BatchSource => ({
  batchesPerEpoch,
  batch: (epoch, index) => ({ said: i32(Int32Array.of(of, epoch, index), [3]) }),
});
const said = (batches: BatchSource, epoch: number): number[][] =>
  Array.from({ length: batches.batchesPerEpoch }, (_, i) => [...batches.batch(epoch, i).said!.data]);

test('a share of the batches is replayed, all of the others come once and in order', () => {
  for (const [share, others] of [
    [0.2, 3],
    [0.5, 12],
    [0.01, 1],
  ] as const) {
    const mixed = withReplay(source(0, 12), source(1, 5), share, 7);
    assert.equal(mixed.batchesPerEpoch, 12 + others);
    const old: number[][] = [];
    const orders = [];
    for (let epoch = 0; epoch < 4; epoch++) {
      const batches = said(mixed, epoch);
      const fresh = batches.filter(([of]) => of === 0);
      assert.deepEqual(
        fresh,
        Array.from({ length: 12 }, (_, i) => [0, epoch, i]),
      );
      old.push(...batches.filter(([of]) => of === 1));
      orders.push(batches.map(([of]) => of).join(''));
    }
    // Epoch after epoch of the old data, each batch of one once.
    assert.deepEqual(
      old,
      Array.from({ length: 4 * others }, (_, n) => [1, Math.floor(n / 5), n % 5]),
    );
    assert.ok(new Set(orders).size > 1, 'other places in other epochs');
  }
});

test('places follow from the seed and the epoch alone, so that a run resumes anywhere', () => {
  const [one, two] = [7, 7].map((seed) => withReplay(source(0, 12), source(1, 5), 0.3, seed));
  const backwards = [3, 0].map((epoch) => said(two!, epoch));
  assert.deepEqual(
    [3, 0].map((epoch) => said(one!, epoch)),
    backwards,
  );
  assert.notDeepEqual(said(withReplay(source(0, 12), source(1, 5), 0.3, 8), 3), backwards[0]);
});

test('both datasets get the checkpoint’s numbers, and users of either; items it does not know are not of before', () => {
  const known = richCatalogue(6, 10);
  const bigger = richCatalogue(8, 13);
  const target = datasetOf(bigger, randomEvents(bigger, 3));
  const others = { ...known, users: ['', ...['a', 'b', 'u1', 'c', 'd', 'e']] };
  const before = datasetOf(others, randomEvents(others, 4));
  const { dataset, before: replayed, added } = growTogether(known, target, before, 'replay.data');
  assert.deepEqual(dataset.catalogue, replayed.catalogue);
  assert.equal(added.items, 3);
  for (const [grown, own] of [
    [dataset, target],
    [replayed, before],
  ] as const) {
    const { users, items } = grown.catalogue;
    assert.equal(grown.interactions.offsets.length, users.length + 1);
    const events = ({ catalogue, interactions }: typeof grown) =>
      Array.from(interactions.user, (user, r) => [
        catalogue.users[user],
        catalogue.items[interactions.item[r]!],
      ]).sort();
    assert.deepEqual(events(grown), events(own));
    assert.deepEqual(items.slice(0, 11), known.items);
  }
  assert.throws(() => growTogether(known, target, target, 'replay.data'), {
    code: 'CHECKPOINT_INCOMPATIBLE',
    message: /replay\.data: the checkpoint does not know 3 of the dataset's 13 items/,
  });
});
