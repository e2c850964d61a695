import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import type { LearnExample } from '../../src/online/learner.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import { largestGap } from '../suites/assertions.js';
import { withNoise } from '../suites/fixtures.js';
import { catalogue, event, post, startServer } from './fixtures.js';

await selectBackend('cpu');

const SHOP = catalogue(4, 20);

/** A served transformer whose weights are noise. */
function learnerOf(behaviourHeads: boolean) {
  const shape = { width: 8, heads: 1, depth: 1, length: 6 };
  const config = modelSchema.parse({ name: 'transformer', ...shape, behaviourHeads });
  const model = createModel(config, SHOP);
  const inits = withNoise(model.init(new Random(1)), 2);
  return modelLearner(
    { model, config, catalogue: SHOP, inits },
    learningSchema.parse({ learningRate: 1 }),
    1,
  );
}

test('a request can ask about one behaviour; what cannot be asked is refused', async (t) => {
  const { app } = await startServer(t, { learner: learnerOf(true), catalogue: SHOP });
  const list = async (more: object): Promise<string[]> => {
    const { status, body } = await post(app, '/v1/recommendations', { history: ['i3'], k: 20, ...more });
    assert.equal(status, 200);
    return body.items.map((entry: { item: string }) => entry.item);
  };
  const [any, view, buy] = [
    await list({}),
    await list({ behaviour: 'view' }),
    await list({ behaviour: 'buy' }),
  ];
  assert.notDeepEqual(view, buy);
  assert.notDeepEqual(view, any);
  const get = async (more: string) =>
    (await app.inject(`/v1/recommendations?user=u1&includeSeen=true${more}`)).json().items;
  assert.notDeepEqual(await get('&behaviour=view'), await get('&behaviour=buy'));
  const refused = async (server: typeof app, body: object, message: RegExp): Promise<void> => {
    const reply = await post(server, '/v1/recommendations', body);
    assert.deepEqual([reply.status, reply.body.errors[0].field], [400, 'behaviour']);
    assert.match(reply.body.errors[0].message, message);
  };
  await refused(app, { user: 'u1', behaviour: 'rent' }, /is none that the model knows \(view, buy\)/);
  await refused(app, { state: Array(8).fill(0), behaviour: 'buy' }, /by any behaviour/);
  const plain = await startServer(t, { learner: learnerOf(false), catalogue: SHOP });
  await refused(plain.app, { user: 'u1', behaviour: 'buy' }, /the model has no behaviour heads/);
});

test('an event teaches the head of its behaviour, and the others through what they share', async (t) => {
  const learner = learnerOf(true);
  const { app, service } = await startServer(t, { learner, catalogue: SHOP });
  const before = await learner.snapshot();
  await post(app, '/v1/events', [event('a', 'i3', 'ann'), { ...event('b', 'i5', 'ann'), behaviour: 'buy' }]);
  await service.idle();
  const example = (asks: number): LearnExample => ({
    ...{ seq: 9, item: 7, behaviour: asks, weight: 1, known: SHOP.items.length },
    event: { id: 'c', user: 'ann', item: 'i7', behaviour: SHOP.behaviours[asks]!, time: 1 },
    query: { user: 0, items: Int32Array.of(3), behaviours: Uint8Array.of(0), asks },
  });
  const [width, name] = [8, 'behaviourHeads.offset'];
  const rows = (snapshot: typeof before, row: number) =>
    snapshot.parameters.get(name)!.data.subarray(row * width, (row + 1) * width) as Float32Array;
  const served = await learner.snapshot();
  for (const row of [1, 2]) assert.ok(largestGap(rows(served, row), rows(before, row)) > 1e-4, `head ${row}`);
  await learner.learn([example(1)]);
  const after = await learner.snapshot();
  assert.deepEqual(rows(after, 1), rows(served, 1), 'the head of the other behaviour stays');
  assert.ok(largestGap(rows(after, 2), rows(served, 2)) > 1e-4);
});
