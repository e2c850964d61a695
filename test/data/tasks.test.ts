import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  divideAtRandom,
  divideInTime,
  existing,
  queryOf,
  scenarioRows,
  supported,
} from '../../src/data/tasks.js';
import { catalogueOf, datasetOf, type Event } from '../suites/fixtures.js';

/** Users 1 and 2 and items 1 to 3 have train rows; user 3 and item 4 are new. */
const EVENTS: readonly Event[] = [
  { user: 1, item: 1, value: 5 },
  { user: 1, item: 2, value: 4 },
  { user: 1, item: 4, value: 3, split: 'test' },
  { user: 2, item: 3, value: 2 },
  { user: 3, item: 1, value: 1, split: 'test' },
  { user: 3, item: 4, value: 2, split: 'test' },
  { user: 3, item: 3, value: 3, split: 'test' },
];
const DATASET = datasetOf(catalogueOf(3, 4), EVENTS);
const ANY = { least: 1, most: 100 };

test('who and what is new follows from the train rows', () => {
  const { users, items } = existing(DATASET);
  assert.deepEqual([...users], [0, 1, 1, 0]);
  assert.deepEqual([...items], [0, 1, 1, 1, 0]);
});

test('the four scenarios divide the rows among them', () => {
  const found = (['existing', 'new'] as const).flatMap((items) =>
    (['existing', 'new'] as const).map((users) =>
      scenarioRows(DATASET, { users, items }, ANY).map(({ user, rows }) => [user, [...rows]]),
    ),
  );
  assert.deepEqual(found, [
    [
      [1, [0, 1]],
      [2, [3]],
    ],
    [[3, [4, 6]]],
    [[1, [2]]],
    [[3, [5]]],
  ]);
  const many = scenarioRows(DATASET, { users: 'existing', items: 'existing' }, { least: 2, most: 2 });
  assert.deepEqual(
    many.map(({ user }) => user),
    [1],
  );
});

test('a task’s support and query are all of its rows, once each, and fewer given events are the first of more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(1000), fc.nat(50), (count, seed, user) => {
      const rows = Int32Array.from({ length: count }, (_, i) => 3 * i);
      const query = 1 + (seed % (count - 1));
      const task = divideAtRandom({ user, rows }, query, seed);
      assert.equal(task.query.length, query);
      assert.deepEqual(
        [...task.support, ...task.query].sort((a, b) => a - b),
        [...rows],
      );
      assert.deepEqual(divideAtRandom({ user, rows }, query, seed), task);
      const few = supported(task, 3).support;
      const all = supported(task, 'all').support;
      assert.equal(few.length, Math.min(3, task.support.length));
      assert.ok(few.every((r) => all.includes(r)));
      assert.deepEqual(
        [...all],
        [...all].sort((a, b) => a - b),
      );
    }),
  );
});

test('rows become what a model is told', () => {
  const query = queryOf(DATASET, 1, Int32Array.of(0, 2));
  assert.deepEqual([...query.items], [1, 4]);
  assert.deepEqual([...query.values!], [5, 3]);
});

test('divided in time, the first events are given and all later ones are asked about', () => {
  const task = divideInTime({ user: 3, rows: Int32Array.of(4, 5, 6) }, 2);
  const one = supported(task, 1);
  assert.deepEqual([[...one.support], [...one.query], [...one.known]], [[4], [6], [4, 5]]);
});
