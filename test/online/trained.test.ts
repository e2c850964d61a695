import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPLIT } from '../../src/data/dataset.js';
import { eventHashes } from '../../src/data/events.js';
import { TrainedEvents } from '../../src/online/trained.js';
import { catalogue, NOW } from './fixtures.js';

test('events learned while serving have the hashes of the same rows of a dataset, each once', () => {
  const count = 3000;
  const known = catalogue(5, 20);
  const rows = Array.from({ length: count }, (_, n) => ({
    user: 1 + (n % 5),
    item: 1 + (n % 20),
    time: NOW + 1000 * (n >> 1),
  }));
  const trained = new TrainedEvents();
  const events = rows.map(({ user, item, time }, n) => ({
    id: `e${n}`,
    user: known.users[user]!,
    item: known.items[item]!,
    behaviour: known.behaviours[0]!,
    time,
  }));
  for (let n = 0; n < count; n += 7) trained.add(events.slice(n, n + 7));
  trained.add(events.slice(0, 3));
  const expected = eventHashes(
    {
      catalogue: known,
      interactions: {
        length: count,
        user: Int32Array.from(rows, ({ user }) => user),
        item: Int32Array.from(rows, ({ item }) => item),
        time: Float64Array.from(rows, ({ time }) => time),
        behaviour: new Uint8Array(count),
        value: new Float32Array(count),
        split: new Uint8Array(count).fill(SPLIT.train),
        offsets: new Int32Array(7),
      },
    },
    'train',
  );
  assert.equal(new Set(expected).size, count);
  assert.deepEqual(trained.merged(new BigUint64Array()), expected);
  assert.deepEqual(trained.merged(expected.slice(0, 10)), expected, 'those of before, each once');
});
