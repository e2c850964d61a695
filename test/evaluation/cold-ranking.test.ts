import assert from 'node:assert/strict';
import { test } from 'node:test';
import { divideInTime, supported } from '../../src/data/tasks.js';
import { constantScorer } from '../../src/evaluation/baselines/constant.js';
import { evaluateCold, scenarioTasks } from '../../src/evaluation/cold/evaluate.js';
import { rankingValues, taskEvaluation } from '../../src/evaluation/cold/ranking.js';
import { coldSchema } from '../../src/evaluation/cold/schema.js';
import { catalogueOf, datasetOf, type Event } from '../suites/fixtures.js';

/** User 1 trains all of four items; user 2 is new, and has been at items 1, 2, 3, 4 in turn. */
const EVENTS: readonly Event[] = [
  ...[1, 2, 3, 4].map((item): Event => ({ user: 1, item })),
  ...[1, 2, 3, 4].map((item): Event => ({ user: 2, item, split: 'test' })),
];
const DATASET = datasetOf(catalogueOf(2, 4), EVENTS);
const NEW = { users: 'new', items: 'existing' } as const;
const CONTEXT = { signal: new AbortController().signal, progress: () => undefined, log: () => undefined };

test('what might have been given is not ranked, whether it was given or not', () => {
  const task = supported(divideInTime({ user: 2, rows: Int32Array.of(4, 5, 6, 7) }, 2), 1);
  const { queries, targets, seen } = taskEvaluation(DATASET, [task]);
  assert.deepEqual([...queries[0]!.items], [1]);
  assert.deepEqual([...targets[0]!], [3, 4]);
  assert.deepEqual([...seen[0]!], [1, 2]);
});

test('ranking metrics of the later events, by hand', async () => {
  const task = divideInTime({ user: 2, rows: Int32Array.of(4, 5, 6, 7) }, 3);
  const all = Uint8Array.of(0, 1, 1, 1, 1);
  const scorer = constantScorer('by number', Float32Array.of(0, 4, 3, 2, 1));
  const values = await rankingValues(scorer, DATASET, [task], all);
  assert.equal(values.get('ndcg@10')![0], 1, 'items 1 to 3 are out, 4 is the only one left');
  const first = divideInTime({ user: 2, rows: Int32Array.of(4, 7) }, 1);
  const later = await rankingValues(scorer, DATASET, [first], all);
  assert.ok(Math.abs(later.get('ndcg@10')![0]! - 1 / Math.log2(4)) < 1e-6, 'third, after items 2 and 3');
  assert.equal(later.get('hr@1')![0], 0);
});

test('an item that might have been given is not asked about again', () => {
  const events: Event[] = [1, 2, 1, 3].map((item) => ({ user: 2, item, split: 'test' }));
  const again: Event[] = [1, 2, 2, 1].map((item) => ({ user: 3, item, split: 'test' }));
  const data = datasetOf(catalogueOf(3, 4), [...EVENTS.slice(0, 4), ...events, ...again]);
  const config = coldSchema.parse({ task: 'ranking', after: 2, support: [1], least: 2 });
  const tasks = scenarioTasks(data, NEW, config, 1);
  assert.deepEqual(
    tasks.map(({ user }) => user),
    [2],
    'user 3 came to nothing new',
  );
  assert.deepEqual([...taskEvaluation(data, tasks).targets[0]!], [3]);
});

test('nor is one where events are divided at random', () => {
  const events: Event[] = [1, 2, 1, 1, 1, 3].map((item) => ({ user: 2, item, split: 'test' }));
  const data = datasetOf(catalogueOf(2, 4), [...EVENTS.slice(0, 4), ...events]);
  const config = coldSchema.parse({ task: 'ranking', query: 3, least: 4 });
  for (let seed = 1; seed < 20; seed++)
    for (const { known, query } of scenarioTasks(data, NEW, config, seed)) {
      const given = new Set(Array.from(known, (r) => data.interactions.item[r]));
      for (const r of query) assert.ok(!given.has(data.interactions.item[r]), `seed ${seed}`);
    }
});

test('a value that is not there is not asked about, nor who has no other', () => {
  const events: Event[] = [5, Number.NaN, 4].map((value, i) => ({
    user: 2,
    item: 1 + i,
    value,
    split: 'test',
  }));
  const silent: Event[] = [1, 2, 3].map((item) => ({ user: 3, item, value: Number.NaN, split: 'test' }));
  const data = datasetOf(catalogueOf(3, 4), [...EVENTS.slice(0, 4), ...events, ...silent]);
  const config = coldSchema.parse({ after: 1, least: 2 });
  const tasks = scenarioTasks(data, NEW, config, 1);
  assert.deepEqual(
    tasks.map(({ user, query }) => [user, Array.from(query, (r) => data.interactions.value[r])]),
    [[2, [4]]],
  );
});

test('users with too few events to be asked after are no tasks; each number of given events has its rows', async () => {
  const config = coldSchema.parse({
    task: 'ranking',
    scenarios: [NEW],
    after: 2,
    support: [1, 2],
    least: 2,
  });
  assert.equal(scenarioTasks(DATASET, NEW, { ...config, after: 4 }, 1).length, 0);
  const given: number[] = [];
  const [found] = await evaluateCold(
    DATASET,
    [
      {
        name: 'm',
        kind: 'model',
        measure: async (tasks) => {
          given.push(tasks[0]!.support.length);
          return new Map([['ndcg@10', Float32Array.of(tasks[0]!.support.length)]]);
        },
      },
    ],
    config,
    { resamples: 100, seed: 1 },
    CONTEXT,
  );
  assert.deepEqual(given, [1, 2]);
  assert.deepEqual(
    found!.rows.map(({ support, metrics }) => [support, metrics['ndcg@10']!.mean]),
    [
      [1, 1],
      [2, 2],
    ],
  );
});
