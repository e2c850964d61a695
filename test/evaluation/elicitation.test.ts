import assert from 'node:assert/strict';
import { test } from 'node:test';
import { divideInTime, type Task } from '../../src/data/tasks.js';
import { questions, type StrategyName } from '../../src/evaluation/elicitation/index.js';
import { interview } from '../../src/evaluation/elicitation/interview.js';
import { answered, type Elicitation } from '../../src/evaluation/elicitation/strategy.js';
import { chain, path, type Question } from '../../src/evaluation/elicitation/tree.js';
import type { Adapter } from '../../src/model/user-states.js';
import { Random } from '../../src/random.js';
import { catalogueOf, datasetOf, type Event } from '../suites/fixtures.js';

/**
 * Four users know items 1 and 2 and give both the same value; items 3 and 4 are known to two each, with values that differ. Item 4 alone
 * says what a user is like; 5 is what they are asked about.
 */
const EVENTS: readonly Event[] = [1, 2, 3, 4].flatMap((user): Event[] => [
  { user, item: 1, value: 3 },
  { user, item: 2, value: 3 },
  ...(user <= 2 ? [{ user, item: 3, value: 1 + 2 * user }] : [{ user, item: 4, value: user === 3 ? 1 : 5 }]),
  { user, item: 5, value: user % 2 ? 1 : 5 },
]);
const DATASET = datasetOf(catalogueOf(4, 5), EVENTS);
const { item, value, offsets } = DATASET.interactions;
const USERS: readonly Task[] = [1, 2, 3, 4].map((user) =>
  divideInTime({ user, rows: Int32Array.from({ length: 4 }, (_, i) => offsets[user]! + i) }, 3),
);
/** Knows a user by the value of item 4; the state is the sum of all values but the threes of items 1 and 2. */
const ADAPTER = {
  width: 1,
  async adapt(queries) {
    return Float32Array.from(queries, ({ items, values }) =>
      items.reduce((sum, i, at) => sum + (i > 2 ? values![at]! : 0.1), 0),
    );
  },
} as Adapter;
const GIVEN: Elicitation = {
  dataset: DATASET,
  candidates: [1, 2, 3, 4],
  count: 2,
  random: new Random(1),
  users: USERS,
  adapter: ADAPTER,
  loss: async (tasks) =>
    Float32Array.from(tasks, ({ support }) => (support.some((r) => item[r] === 4) ? 0 : 1)),
};
const ask = async (name: StrategyName, more: Partial<Elicitation> = {}): Promise<number[]> => {
  const items: number[] = [];
  for (let node = await questions(name, { ...GIVEN, ...more }); node; node = node.next.unknown)
    items.push(node.item);
  return items;
};

test('an answer is a row of the support about an item that was asked about', () => {
  const rows = answered(USERS[2]!, new Set([4, 5]), item).support;
  assert.deepEqual(
    Array.from(rows, (r) => [item[r], value[r]]),
    [[4, 1]],
  );
});

test('each strategy chooses what it is for', async () => {
  assert.deepEqual(await ask('popular'), [1, 2]);
  assert.equal((await ask('gain'))[0], 4);
  assert.deepEqual((await ask('entropy')).sort(), [3, 4], 'values that differ');
  assert.equal((await ask('gradient'))[0], 3, 'it moves the state by 3 and 5, 4 by 1 and 5');
  assert.deepEqual((await ask('diverse', { count: 3 }))[0], 1);
  assert.ok(!(await ask('diverse')).includes(2), 'who knows 2 knows 1');
  const drawn = await ask('random', { count: 4 });
  assert.deepEqual(drawn.sort(), [1, 2, 3, 4]);
});

test('an interview with nothing, some and everything asked', async () => {
  const measure = async (tasks: readonly Task[]) => new Map([['mae', await GIVEN.loss(tasks)]]);
  const lists = new Map<StrategyName, Question | undefined>([
    ['popular', chain([1, 2])],
    ['gain', chain([4])],
  ]);
  const rows = await interview(lists, USERS, GIVEN, measure, { resamples: 100, seed: 1 });
  assert.deepEqual(
    rows.map(({ strategy, answers, metrics }) => [strategy, answers, metrics.mae!.mean]),
    [
      ['nothing asked', 0, 1],
      ['popular', 2, 1],
      ['gain', 0.5, 0.5],
      ['everything asked', 3, 0.5],
    ],
  );
  assert.equal(rows[2]!.difference!.mae!.mean, -0.5);
});

test('a tree asks those who do not know the first item about another one than those who do', async () => {
  // Items 1 and 2 tell nothing; after 4, item 3 helps those alone who could not answer.
  const loss: Elicitation['loss'] = async (tasks) =>
    Float32Array.from(tasks, ({ support }) => {
      const known = new Set(Array.from(support, (r) => item[r]!));
      if (known.has(4)) return known.has(2) ? -1 : 0;
      return known.has(3) ? 0.9 : 1;
    });
  const first = await questions('tree', { ...GIVEN, count: 2, loss });
  assert.equal(first?.item, 4);
  assert.deepEqual([first.next.unknown?.item, first.next.low?.item, first.next.high?.item], [3, 2, 2]);
});

test('in a tree the next question depends on the answer', async () => {
  const first = await questions('tree', { ...GIVEN, count: 3 });
  assert.equal(first?.item, 4);
  assert.equal(first.threshold, 3, 'the mean of 1 and 5');
  const { unknown, low, high } = first.next;
  assert.ok(unknown && low && high);
  const branching: Question = {
    item: 4,
    threshold: 3,
    next: { unknown: chain([1])!, low: chain([2])!, high: chain([3])! },
  };
  const asked = USERS.map((task) => [...path(branching, task, item, value)]);
  assert.deepEqual(asked, [
    [4, 1],
    [4, 1],
    [4, 2],
    [4, 3],
  ]);
});
