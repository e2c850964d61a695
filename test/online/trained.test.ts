import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPLIT } from '../../src/data/dataset.js';
import { eventHashes } from '../../src/data/events.js';
import { TrainedEvents } from '../../src/online/trained.js';
import { catalogue } from './fixtures.js';

test('events that are learned have the hashes of the same rows of a dataset, sorted, each once', () => {
  const known = catalogue(3, 4);
  const rows = Array.from({ length: 3000 }, (_, n) => ({
    user: 1 + (n % 3),
    item: 1 + (n % 4),
    time: 1e12 + (n % 1500),
  }));
  const column = (pick: (row: (typeof rows)[number]) => number): Int32Array => Int32Array.from(rows, pick);
  const expected = eventHashes(
    {
      catalogue: known,
      interactions: {
        length: rows.length,
        ...{ user: column((r) => r.user), item: column((r) => r.item) },
        ...{ time: Float64Array.from(rows, (r) => r.time), value: new Float32Array(rows.length) },
        ...{ behaviour: new Uint8Array(rows.length), split: new Uint8Array(rows.length).fill(SPLIT.train) },
        offsets: new Int32Array(5),
      },
    },
    'train',
  );
  const trained = new TrainedEvents();
  for (const [n, { user, item, time }] of rows.entries())
    trained.add({
      id: `e${n}`,
      ...{ user: known.users[user]!, item: known.items[item]!, behaviour: known.behaviours[0]! },
      time,
    });
  const once = expected.filter((hash, i) => i === 0 || hash !== expected[i - 1]);
  assert.equal(once.length, 1500);
  assert.deepEqual(trained.merged(new BigUint64Array(0)), once);
  assert.deepEqual(trained.merged(once.slice(0, 700)), once);
});
