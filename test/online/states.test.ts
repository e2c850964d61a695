import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import { withNoise } from '../suites/fixtures.js';
import { catalogue, event, post, startServer } from './fixtures.js';

await selectBackend('cpu');

/** Serves a model that was not trained. */
async function serverOf(t: TestContext, given: object): Promise<FastifyInstance> {
  const shop = catalogue(4, 20);
  const config = modelSchema.parse(given);
  const model = createModel(config, shop);
  const restored = { model, config, catalogue: shop, inits: withNoise(model.init(new Random(1)), 2) };
  const learner = modelLearner(restored, learningSchema.parse({ enabled: false }), 1);
  return (await startServer(t, { learner, catalogue: shop })).app;
}

async function list(app: FastifyInstance, body: object): Promise<string[]> {
  const reply = await post(app, '/v1/recommendations', body);
  assert.equal(reply.status, 200, JSON.stringify(reply.body));
  return reply.body.items.map((entry: { item: string }) => entry.item);
}

test('a state stands for the events that led to it, and says on what it rests', async (t) => {
  const app = await serverOf(t, { name: 'transformer', width: 4, heads: 1, depth: 1, length: 6 });
  await post(app, '/v1/events', [event('a', 'i3', 'ann'), event('b', 'i5', 'ann')]);
  const of = async (user: string) => (await app.inject(`/v1/state?user=${user}`)).json();
  const { requestId, state, ...known } = await of('ann');
  assert(requestId);
  assert.deepEqual(known, { user: 'ann', events: 2, basis: 'events', modelVersion: 'base+0' });
  const nobody = await of('nobody');
  assert.deepEqual([nobody.events, nobody.basis], [0, 'population']);
  const expected = await list(app, { user: 'ann', k: 20, includeSeen: true });
  assert.deepEqual(await list(app, { state, k: 20 }), expected);
  assert.deepEqual(await list(app, { user: 'ann', state, k: 20, includeSeen: true }), expected);
  for (const modelVersion of ['base', 'base+7', 'base+7.1'])
    assert.deepEqual(await list(app, { state, modelVersion, k: 20 }), expected);
  const unseen = await list(app, { user: 'ann', state, k: 20 });
  assert.deepEqual(
    unseen,
    expected.filter((item) => item !== 'i3' && item !== 'i5'),
  );

  for (const [body, message] of [
    [{ state: [1] }, /has 1 numbers, and those of this model \d+/],
    [{ state, modelVersion: 'other+0' }, /is of another checkpoint; base\+\d is served now/],
    [{ state, modelVersion: 'base@9+0' }, /is of another checkpoint/],
    [{ user: 'ann', modelVersion: 'base+0' }, /there is none/],
    [{ state, adapter: 'x' }, /without an adapter/],
    [{ state: [] }, /state/],
    [{ state: ['a'] }, /state\.0/],
  ] as const) {
    const reply = await post(app, '/v1/recommendations', body);
    assert.equal(reply.status, 400);
    assert.match(JSON.stringify(reply.body), message);
  }
});

test('a state that leads to scores that are no numbers is refused', async (t) => {
  const app = await serverOf(t, { name: 'fast-weights', width: 4, hidden: [4, 4], length: 6 });
  const { state } = (await app.inject('/v1/state?user=ann')).json();
  // Layer by layer 1e15 times as much, beyond what single precision holds.
  const reply = await post(app, '/v1/recommendations', { state: state.map(() => 1e15) });
  assert.equal(reply.status, 400);
  assert.match(JSON.stringify(reply.body), /gives scores that are no numbers/);
  assert.equal((await post(app, '/v1/recommendations', { state })).status, 200);
});

test('a learner without states refuses them', async (t) => {
  const { app } = await startServer(t);
  const reply = await app.inject('/v1/state?user=ann');
  assert.equal(reply.statusCode, 400);
  assert.match(reply.body, /the model keeps none/);
  assert.equal((await post(app, '/v1/recommendations', { state: [1] })).status, 400);
});
