import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ParameterStore } from '../../src/compute/parameters.js';
import { divideInTime, type Task } from '../../src/data/tasks.js';
import type { Model } from '../../src/model/model.js';
import { holdOut } from '../../src/training/meta/hold-out.js';
import { metaTrainSchema } from '../../src/training/meta/schema.js';
import { taskBatches } from '../../src/training/meta/task-batches.js';
import { afterEach } from '../../src/training/meta/validation.js';
import { targetsSchema } from '../../src/training/schema.js';
import { trainRows } from '../../src/training/train-rows.js';
import { catalogueOf, datasetOf, randomEvents } from '../suites/fixtures.js';

const CATALOGUE = catalogueOf(11, 30);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 4, 6, 12));
const ROWS = trainRows(DATASET, targetsSchema.parse({}), { center: 3 });
const USERS = Int32Array.from({ length: 11 }, (_, i) => i + 1);
const OPTIONS = { length: 5, batchSize: 4, seed: 3, negatives: { need: [], count: 0, items: 30 } };
const parse = (more: object) => metaTrainSchema.parse({ data: 'd', ...more });

test('every user once an epoch, with support and query of its own rows, apart; what is left over weighs nothing', () => {
  const source = taskBatches(ROWS, { users: USERS, query: 3, order: 'random' }, OPTIONS);
  assert.equal(source.batchesPerEpoch, 3);
  const seen: number[] = [];
  for (let index = 0; index < 3; index++) {
    const batch = source.batch(1, index);
    assert.deepEqual(batch.items!.shape, [4, 5]);
    assert.deepEqual(batch.targets!.shape, [12]);
    for (let task = 0; task < 4; task++) {
      const user = batch.users!.data[task]!;
      const weights = batch.weights!.data.subarray(task * 3, task * 3 + 3);
      assert.ok(weights.every((w) => w > 0 === user > 0));
      if (user === 0) continue;
      seen.push(user);
      const own = new Map<string, number>();
      for (let r = ROWS.offsets[user]!; r < ROWS.offsets[user + 1]!; r++) {
        const key = `${ROWS.item[r]}/${ROWS.value[r]}`;
        own.set(key, (own.get(key) ?? 0) + 1);
      }
      const use = (item: number, value: number): void => {
        const left = own.get(`${item}/${value}`) ?? 0;
        assert.ok(left > 0, `item ${item} of user ${user} is used once too often`);
        own.set(`${item}/${value}`, left - 1);
      };
      for (let t = 0; t < 5; t++) {
        const at = task * 5 + t;
        const item = batch.items!.data[at]!;
        if (item > 0) use(item, batch.values!.data[at]! + 3);
      }
      for (let q = 0; q < 3; q++) use(batch.targets!.data[task * 3 + q]!, batch.labels!.data[task * 3 + q]!);
      assert.deepEqual(
        [...batch.positions!.data.subarray(task * 3, task * 3 + 3)],
        Array(3).fill(task * 5 + 4),
      );
    }
  }
  assert.deepEqual(
    seen.sort((a, b) => a - b),
    [...USERS],
  );
});

test('any batch can be made alone, and another epoch divides the events anew', () => {
  const plan = { users: USERS, query: 3, order: 'random' } as const;
  const again = taskBatches(ROWS, plan, OPTIONS);
  assert.deepEqual(taskBatches(ROWS, plan, OPTIONS).batch(2, 1), again.batch(2, 1));
  assert.notDeepEqual(again.batch(3, 1), again.batch(2, 1));
});

test('in order of time the query follows the support, of a drawn size', () => {
  const plan = { users: USERS, query: 2, order: 'temporal', support: [1, 3] } as const;
  const sizes = new Set<number>();
  for (let epoch = 0; epoch < 5; epoch++) {
    const { items, users, targets } = taskBatches(ROWS, plan, OPTIONS).batch(epoch, 0);
    for (let task = 0; task < 4; task++) {
      const support = [...items!.data.subarray(task * 5, task * 5 + 5)].filter((item) => item > 0);
      sizes.add(support.length);
      const user = users!.data[task]!;
      const own = ROWS.item.subarray(ROWS.offsets[user]!, ROWS.offsets[user + 1]!);
      const stretch = [...support, ...targets!.data.subarray(task * 2, task * 2 + 2)].join();
      assert.ok(`,${own.join()},`.includes(`,${stretch},`), 'one stretch of the history');
    }
  }
  assert.deepEqual([...sizes].sort(), [1, 3]);
});

test('what is held out is not learned from', () => {
  const { tasks, holdOut: judged } = parse({
    tasks: { least: 4, query: 2 },
    holdOut: { users: 0.3, items: 0.2, least: 2, query: 1 },
  });
  const held = holdOut(DATASET, judged, tasks, 5);
  const rows = trainRows(held.dataset, targetsSchema.parse({}));
  const judgedUsers = new Set([...held.tasks, ...held.newItems].map(({ user }) => user));
  assert.ok(judgedUsers.size > 0 && held.newItems.length > 0);
  for (const user of judgedUsers) {
    assert.ok(!held.users.includes(user));
    assert.equal(rows.offsets[user], rows.offsets[user + 1]);
  }
  const learned = new Set(rows.item.subarray(0, rows.offsets.at(-1)));
  for (const { support, query } of held.newItems)
    for (const r of [...support, ...query]) assert.ok(!learned.has(DATASET.interactions.item[r]!));
  for (const { support, query } of held.tasks)
    for (const r of [...support, ...query])
      assert.ok(held.dataset.catalogue.itemCounts[DATASET.interactions.item[r]!]! > 0);
  assert.throws(() => holdOut(DATASET, judged, { ...tasks, least: 99, most: 99 }, 5), { code: 'DATA_EMPTY' });
});

test('after so many events the query is of all later ones, the support the first few', () => {
  const plan = { users: USERS, query: 2, order: 'random', after: 3, support: [2] } as const;
  const { items, users, targets } = taskBatches(ROWS, plan, OPTIONS).batch(1, 0);
  for (let task = 0; task < 4; task++) {
    const from = ROWS.offsets[users!.data[task]!]!;
    const own = [...ROWS.item.subarray(from, ROWS.offsets[users!.data[task]! + 1]!)];
    assert.deepEqual([...items!.data.subarray(task * 5, task * 5 + 5)], [0, 0, 0, own[0], own[1]]);
    const later = own.slice(3);
    for (const target of targets!.data.subarray(task * 2, task * 2 + 2)) {
      assert.ok(later.includes(target), 'of the later ones');
      later.splice(later.indexOf(target), 1);
    }
  }
});

test('validation is the mean over the numbers of given events, with what it is after each', async () => {
  const judge = async (_: unknown, __: unknown, ___: unknown, tasks: readonly Task[]) => ({
    given: tasks.reduce((sum, { support }) => sum + support.length, 0) / tasks.length,
  });
  const task = divideInTime({ user: 1, rows: Int32Array.of(1, 2, 3, 4, 5) }, 4);
  const given = [{} as Model, {} as ParameterStore, DATASET, [task]] as const;
  assert.deepEqual(await afterEach(judge, [1, 3])(...given), {
    given: 2,
    given_after_1: 1,
    given_after_3: 3,
  });
  assert.deepEqual(await afterEach(judge, undefined)(...given), { given: 4 });
});
