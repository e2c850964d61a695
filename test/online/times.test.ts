import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPLIT } from '../../src/data/dataset.js';
import type { OnlineLearner } from '../../src/online/learner.js';
import { UserHistories } from '../../src/online/users.js';
import { DATA_PARTS, warmedBy, warmHistories } from '../../src/online/warm.js';
import type { Query } from '../../src/types.js';
import { catalogueOf, datasetOf } from '../suites/fixtures.js';
import { CountingLearner, catalogue, NOW, startServer, startService, temporary } from './fixtures.js';

/** A learner that reads times, or none, and the queries it was asked to score. */
function watched(readsTimes = true): { learner: OnlineLearner; asked: Query[] } {
  const counting = new CountingLearner(catalogue(3, 20));
  const asked: Query[] = [];
  const learner: OnlineLearner = {
    name: 'watched',
    length: 10,
    columns: { times: readsTimes },
    learn: (examples) => counting.learn(examples),
    score(queries) {
      asked.push(...queries);
      return counting.score(queries);
    },
    snapshot: () => counting.snapshot(),
    restore: (state) => counting.restore(state),
    dispose() {},
  };
  return { learner, asked };
}

const event = (id: string, item: string, time?: number | string) => ({
  ...{ id, user: 'u1', item, behaviour: 'view' },
  ...(time === undefined ? {} : { time }),
});

test('histories hold the events’ own times, the arrival’s where they have none; never the request’s', async (t) => {
  const { learner, asked } = watched();
  const { app } = await startServer(t, { learner });
  const post = (url: string, payload: object) => app.inject({ method: 'POST', url, payload });
  const taken = await post('/v1/events', [
    event('a', 'i1', 5000),
    event('b', 'i2', '1970-01-01T00:00:09Z'),
    event('c', 'i3'),
  ]);
  assert.equal(taken.statusCode, 200, taken.body);
  const ask = async (body: object): Promise<number[]> => {
    const reply = await post('/v1/recommendations', body);
    assert.equal(reply.statusCode, 200, reply.body);
    return [...asked.at(-1)!.times!];
  };
  assert.deepEqual(await ask({ user: 'u1' }), [5000, 9000, NOW]);
  const session = [
    { item: 'gone', time: 1 },
    { item: 'i5', time: 7000 },
  ];
  assert.deepEqual(await ask({ user: 'u1', history: session }), [5000, 9000, NOW, 7000]);
  for (const history of [['i1'], [{ item: 'i4', time: 3 }, { item: 'i1' }]]) {
    const reply = await post('/v1/recommendations', { history });
    assert.equal(reply.statusCode, 400);
    const { code, errors } = reply.json();
    assert.equal(code, 'REQUEST_INVALID');
    assert.deepEqual(errors, [
      {
        field: `history.${history.length - 1}.time`,
        message: 'is missing; the model reads the times of events',
      },
    ]);
  }
});

test('a model that reads no times is given none, and asks for none', async (t) => {
  const { learner, asked } = watched(false);
  const { app } = await startServer(t, { learner });
  const history = ['i1', { item: 'i2', time: 5 }];
  await app.inject({ method: 'POST', url: '/v1/recommendations', payload: { history } });
  assert.equal(asked.length, 1);
  assert.ok(!('times' in asked[0]!));
});

test('a replay of the journal and a snapshot give the same times', async (t) => {
  const dir = await temporary(t);
  const first = await startService(dir, { learner: watched().learner });
  const events = [event('a', 'i1', 5000), event('b', 'i2', 9123)].map((e) => ({
    ...e,
    time: Number(e.time),
  }));
  await first.service.accept(events);
  await first.service.drain();
  const { state } = await first.service.snapshot();
  const { journalId } = first.service;
  await first.service.close();
  for (const from of [{}, { from: { journalId, state } }]) {
    const { learner, asked } = watched();
    const again = await startService(dir, { learner, ...from });
    await again.service.recommend({ user: 'u1', includeSeen: false });
    assert.deepEqual([...asked.at(-1)!.times!], [5000, 9123]);
    await again.service.close();
  }
});

test('a dataset warms histories with its times; one that has none is refused', () => {
  const known = catalogueOf(2, 5);
  const events = [1000, 4000].map((time, n) => ({ user: 1, item: n + 1, time }));
  const histories = new UserHistories(known, 10, { times: true });
  warmHistories(histories, datasetOf(known, events, 'epoch'), known);
  assert.deepEqual([...histories.query('u1').times!], [1000, 4000]);
  assert.throws(() => warmHistories(histories, datasetOf(known, events), known), {
    code: 'DATA_EMPTY',
    message: /relativeTime.*made-up has none/,
  });
  warmHistories(new UserHistories(known, 10), datasetOf(known, events), known);
});

test('a dataset warms histories up to a part of its split', () => {
  const known = catalogueOf(2, 5);
  const data = datasetOf(
    known,
    [1, 2, 3].map((item) => ({ user: 1, item, time: item })),
    'epoch',
  );
  data.interactions.split.set([SPLIT.train, SPLIT.validation, SPLIT.test]);
  for (const [n, part] of DATA_PARTS.entries()) {
    const histories = new UserHistories(known, 10);
    warmHistories(histories, data, known, part);
    assert.equal(histories.query('u1').items.length, n + 1, part);
  }
  assert.notEqual(warmedBy(data, 'validation'), warmedBy(data, 'test'));
  assert.equal(warmedBy(undefined, 'test'), null);
});
