import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { CountingLearner, catalogue, event, post, startServer } from './fixtures.js';

test('new users are asked about the list, less what they know or were asked about; popular items without one', async (t) => {
  const ask = async (app: FastifyInstance, more = ''): Promise<string[]> => {
    const reply = await app.inject(`/v1/elicitation?user=new${more}`);
    assert.equal(reply.statusCode, 200, reply.body);
    return reply.json().items.map((entry: { item: string }) => entry.item);
  };
  const items = ['i9', 'i7', 'gone', 'i5'];
  const { app } = await startServer(t, { questions: { strategy: 'gain', items } });
  assert.deepEqual(await ask(app), ['i9']);
  assert.deepEqual(await ask(app, '&k=9'), ['i9', 'i7', 'i5']);
  await post(app, '/v1/events', [event('a1', 'i7')]);
  assert.deepEqual(await ask(app, '&k=9&asked=i9'), ['i5']);
  assert.equal((await app.inject('/v1/elicitation?user=new')).json().strategy, 'gain');
  assert.equal((await app.inject('/v1/elicitation')).statusCode, 400);
  const branch = (item: string) => ({ item, threshold: 0, next: {} });
  const tree = {
    item: 'i1',
    threshold: 3,
    next: { unknown: branch('i2'), low: branch('i3'), high: branch('i4') },
  };
  const known = catalogue(3, 20);
  const learner = Object.assign(new CountingLearner(known), { columns: { times: false, values: true } });
  const questions = { strategy: 'tree', items: ['i8'], tree };
  const { app: branching } = await startServer(t, { catalogue: known, learner, questions });
  assert.deepEqual(await ask(branching, '&k=3'), ['i1', 'i2', 'i8']);
  assert.deepEqual(await ask(branching, '&asked=i1'), ['i2'], 'not known');
  for (const [id, value, next] of [
    ['b1', 1, 'i3'],
    ['b2', 5, 'i4'],
    ['b3', undefined, 'i4'],
  ] as const) {
    await post(branching, '/v1/events', [{ ...event(id, 'i1'), ...(value === undefined ? {} : { value }) }]);
    assert.deepEqual(await ask(branching, '&k=2'), [next, 'i8'], `after a value of ${value}`);
  }
  const { app: plain } = await startServer(t);
  assert.deepEqual(await ask(plain, '&k=2&asked=i1'), ['i2', 'i3']);
  assert.equal((await plain.inject('/v1/elicitation?user=new')).json().strategy, 'popular');
});
