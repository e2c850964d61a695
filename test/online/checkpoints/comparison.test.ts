import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeEventHash } from '../../../src/data/events.js';
import { compareOn } from '../../../src/online/checkpoints/comparison.js';
import { type RankedEvent, RankedEvents } from '../../../src/online/checkpoints/ranked-events.js';
import type { Query } from '../../../src/types.js';
import { catalogue } from '../fixtures.js';

const served = catalogue(3, 6);
/** Items i1, i6, i3 and two of its own, users and behaviours in another order; it does not know i2, i4, i5. */
const own = {
  items: ['', 'new', 'i6', 'i1', 'i3', 'more'],
  users: ['', 'u3', 'u1'],
  behaviours: ['buy', 'view'],
};

function ranked(user: string, seen: number[], item: number, rank: number): RankedEvent {
  const event = { id: `${user}/${item}`, user, item: `i${item}`, behaviour: 'view', time: item };
  const query: Query = {
    user: 1,
    items: Int32Array.from(seen),
    behaviours: new Uint8Array(seen.length),
    times: Float64Array.from(seen, (one) => 100 * one),
    asks: 0,
  };
  return { example: { seq: 1, event, query, item, behaviour: 0, weight: 1, known: 7 }, rank };
}

/** Scores by column, and what was asked. */
function fixed(...scores: number[]) {
  const asked: Query[] = [];
  return {
    asked,
    columns: scores.length,
    score: async (queries: readonly Query[]) => {
      asked.push(...queries);
      return Float32Array.from(queries.flatMap(() => scores));
    },
  };
}

const none = new BigUint64Array(0);

test('the candidate ranks by what it knows of the history, among the items that were known then', async () => {
  // new 9, i6 5, i1 3, i3 4, more 8: of what is served i6 > i3 > i1.
  const model = fixed(0, 9, 5, 3, 4, 8);
  const events = [ranked('u1', [2, 6], 1, 1), ranked('u3', [], 3, 4), ranked('u2', [1], 2, 2)];
  const found = await compareOn(events, served, { model, catalogue: own, trainedEvents: none }, false);
  // i1 behind i3 alone, since i6 was seen; i3 behind i6; i2 is not known.
  const [second, missed] = [1 / Math.log2(3), 0];
  const gains = [second, second, missed];
  const before = [1, 1 / Math.log2(5), second];
  assert.deepEqual([found.events, found.users, found.unknown, found.trained], [3, 3, 1, 0]);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  for (const [interval, values] of [
    [found.candidate, gains],
    [found.served, before],
    [found.difference, gains.map((gain, i) => gain - before[i]!)],
  ] as const)
    assert(Math.abs(interval.mean - mean(values)) < 1e-12);
  const [first, other] = model.asked;
  assert.deepEqual(
    [first!.user, [...first!.items], [...first!.behaviours], [...first!.times!], first!.asks],
    [2, [2], [1], [600], 1],
  );
  assert.deepEqual([other!.user, other!.items.length], [1, 0]);
  const all = await compareOn(
    events.slice(0, 1),
    served,
    { model, catalogue: own, trainedEvents: none },
    true,
  );
  assert.equal(all.candidate.mean, 0.5);
});

test('an item that came after an event is none that its item is ranked against', async () => {
  const model = fixed(0, 9, 5, 3, 4, 8);
  const { example } = ranked('u1', [], 3, 1);
  const event = { rank: 1, example: { ...example, known: 6 } };
  const found = await compareOn([event], served, { model, catalogue: own, trainedEvents: none }, false);
  assert.equal(found.candidate.mean, 1);
});

test('events that it was trained on are left out; of nobody there is no interval', async () => {
  const events = [ranked('u1', [], 1, 1), ranked('u1', [], 3, 1)];
  const hashes = new BigUint64Array(3);
  const words = new Uint32Array(hashes.buffer);
  for (const [i, { example }] of events.entries()) writeEventHash(words, 2 * i, example.event);
  hashes[2] = 5n;
  const model = fixed(0, 9, 5, 3, 4, 8);
  const some = { model, catalogue: own, trainedEvents: hashes.slice(0, 1) };
  const found = await compareOn(events, served, some, false);
  assert.deepEqual([found.events, found.trained], [1, 1]);
  const all = await compareOn(events, served, { ...some, trainedEvents: hashes.sort() }, false);
  assert.deepEqual([all.events, all.users, all.trained], [0, 0, 2]);
  assert(Number.isNaN(all.difference.high));
});

test('so many newest events are kept, and none of who was erased', () => {
  const kept = new RankedEvents(2);
  for (const [i, user] of ['u1', 'u2', 'u3'].entries()) kept.add(ranked(user, [], i + 1, i).example, i);
  assert.deepEqual(
    kept.newest.map(({ rank }) => rank),
    [1, 2],
  );
  kept.forget('u3');
  assert.deepEqual(
    kept.newest.map(({ rank }) => rank),
    [1],
  );
});
