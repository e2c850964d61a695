import assert from 'node:assert/strict';
import { test } from 'node:test';
import { behaviourTasks } from '../../src/evaluation/per-behaviour.js';
import { evaluationQueries } from '../../src/evaluation/queries.js';
import { makeDataset, type Row } from './fixture.js';

const rows: Row[] = [
  ['u', 'a', 'train'],
  ['u', 'b', 'train'],
  ['u', 'a', 'train'],
  ['u', 'c', 'validation'],
  ['u', 'd', 'test'],
  ['v', 'b', 'train'],
];

test('the test history includes the validation row; the validation history neither it nor the test row', () => {
  const data = makeDataset(rows);
  const onTest = evaluationQueries(data, 'test');
  assert.deepEqual(
    onTest.queries.map(({ user, items }) => [user, [...items]]),
    [[1, [1, 2, 1, 3]]],
  );
  assert.deepEqual(
    onTest.targets.map((t) => [...t]),
    [[4]],
  );
  assert.deepEqual(
    onTest.seen.map((s) => [...s]),
    [[1, 2, 3]],
  );
  const onValidation = evaluationQueries(data, 'validation');
  assert.deepEqual([...onValidation.queries[0]!.items], [1, 2, 1]);
  assert.deepEqual([...onValidation.targets[0]!], [3]);
});

test('several targets are distinct and ascending, and a target in the history is not removed', () => {
  const data = makeDataset([
    ['u', 'a', 'train'],
    ['u', 'b', 'train'],
    ['u', 'c', 'test'],
    ['u', 'a', 'test'],
    ['u', 'c', 'test'],
  ]);
  const { queries, targets, seen } = evaluationQueries(data, 'test');
  assert.deepEqual([...queries[0]!.items], [1, 2]);
  assert.deepEqual([...targets[0]!], [1, 3]);
  assert.deepEqual([...seen[0]!], [2]);
});

test('target behaviours choose the targets; earlier held-out rows of others are history', () => {
  const data = makeDataset([
    ['u', 'a', 'train', { behaviour: 'view' }],
    ['u', 'b', 'test', { behaviour: 'view' }],
    ['u', 'c', 'test', { behaviour: 'buy' }],
    ['u', 'd', 'test', { behaviour: 'view' }],
  ]);
  const { queries, targets } = evaluationQueries(data, 'test', { targetBehaviours: ['buy'] });
  assert.deepEqual([...queries[0]!.items], [1, 2]);
  assert.deepEqual([...queries[0]!.behaviours], [0, 0]);
  assert.deepEqual([...targets[0]!], [3]);
  assert.throws(() => evaluationQueries(data, 'test', { targetBehaviours: ['like'] }), {
    code: 'CONFIG_INVALID',
    message: /no behaviour like; it has view, buy/,
  });
});

test('in random order the history is all of the earlier parts, wherever the target stands', () => {
  const data = makeDataset(
    [
      ['u', 'a', 'train'],
      ['u', 'b', 'test'],
      ['u', 'c', 'train'],
      ['u', 'd', 'validation'],
    ],
    { split: { kind: 'user-ratio', order: 'random' } },
  );
  assert.deepEqual([...evaluationQueries(data, 'test').queries[0]!.items], [1, 3, 4]);
  assert.deepEqual([...evaluationQueries(data, 'validation').queries[0]!.items], [1, 3]);
});

test('in temporal order nothing after the first target is history', () => {
  const data = makeDataset([
    ['u', 'a', 'train'],
    ['u', 'b', 'test'],
    ['u', 'c', 'train'],
  ]);
  assert.deepEqual([...evaluationQueries(data, 'test').queries[0]!.items], [1]);
});

test('a cold user has an empty history', () => {
  const { queries } = evaluationQueries(makeDataset([['u', 'a', 'test']]), 'test');
  assert.equal(queries[0]!.items.length, 0);
});

test('fewer users are drawn by the seed, and stay in order', () => {
  const data = makeDataset(
    Array.from({ length: 50 }, (_, u): Row[] => [
      [`u${u}`, 'a', 'train'],
      [`u${u}`, 'b', 'test'],
    ]).flat(),
  );
  const draw = (seed: number): number[] =>
    evaluationQueries(data, 'test', { maxUsers: 10, seed }).queries.map(({ user }) => user);
  assert.equal(draw(1).length, 10);
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  assert.deepEqual(
    draw(1),
    draw(1).toSorted((a, b) => a - b),
  );
});

test('histories carry the times of their events and no other, where the dataset has times', () => {
  const at = (time: number) => ({ time });
  const timed = makeDataset(
    [
      ['u', 'a', 'train', at(1000)],
      ['u', 'b', 'validation', at(2500)],
      ['u', 'c', 'test', at(9000)],
      ['v', 'a', 'test', at(3)],
    ],
    { time: 'epoch' },
  );
  const timesOf = (part: 'test' | 'validation') =>
    evaluationQueries(timed, part).queries.map(({ times }) => [...times!]);
  assert.deepEqual(timesOf('test'), [[1000, 2500], []]);
  assert.deepEqual(timesOf('validation'), [[1000]]);
  assert.ok(!('times' in evaluationQueries(makeDataset(rows), 'test').queries[0]!));
});

test('a part without rows is an error that says so', () => {
  assert.throws(() => evaluationQueries(makeDataset([['u', 'a', 'train']]), 'test'), {
    code: 'DATA_EMPTY',
    message: /no test rows/,
  });
});

test('a query asks about the behaviour of its targets, where they have one; or about none', () => {
  const data = makeDataset([
    ['u', 'a', 'train', { behaviour: 'view' }],
    ['u', 'b', 'test', { behaviour: 'buy' }],
    ['u', 'c', 'test', { behaviour: 'buy' }],
    ['v', 'b', 'test', { behaviour: 'view' }],
    ['v', 'c', 'test', { behaviour: 'buy' }],
    ['w', 'a', 'test', { behaviour: 'view' }],
  ]);
  const asks = (options: object) =>
    evaluationQueries(data, 'test', options).queries.map((query) => query.asks);
  assert.deepEqual(asks({}), [1, undefined, 0]);
  assert.deepEqual(asks({ targetBehaviours: ['buy'] }), [1, 1]);
  assert.deepEqual(asks({ asked: 'any' }), [undefined, undefined, undefined]);
});

test('the task of a behaviour is the evaluation of its targets alone; one without targets is none', () => {
  const data = makeDataset([
    ['u', 'a', 'train', { behaviour: 'view' }],
    ['u', 'b', 'test', { behaviour: 'view' }],
    ['u', 'c', 'test', { behaviour: 'buy' }],
    ['v', 'b', 'test', { behaviour: 'view' }],
    ['v', 'a', 'train', { behaviour: 'like' }],
  ]);
  const settings = { part: 'test', ks: [10], filterSeen: true, seed: 1 } as const;
  const tasks = behaviourTasks(data, settings);
  assert.deepEqual(
    tasks.map(({ behaviour, evaluation }) => [behaviour, evaluation.queries.length]),
    [
      ['view', 2],
      ['buy', 1],
    ],
  );
  for (const { behaviour, evaluation } of tasks)
    assert.deepEqual(evaluation, evaluationQueries(data, 'test', { targetBehaviours: [behaviour], seed: 1 }));
  assert.deepEqual([...tasks[1]!.evaluation.queries[0]!.items], [1, 2], 'what was viewed before is history');
  const chosen = behaviourTasks(data, { ...settings, targetBehaviours: ['buy'] });
  assert.deepEqual(
    chosen.map(({ behaviour }) => behaviour),
    ['buy'],
  );
});
