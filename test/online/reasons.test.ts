import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import type { RestoredModel } from '../../src/model/restore.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { leftOut, reasonsOf } from '../../src/online/reasons.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import type { Query } from '../../src/types.js';
import { CountingLearner, catalogue, event, post, startServer } from './fixtures.js';

const known = catalogue(2, 4);
const query = (items: readonly number[], behaviours = items.map(() => 0)): Query => ({
  user: 0,
  items: Int32Array.from(items),
  behaviours: Uint8Array.from(behaviours),
});

/** A model of four items whose tables hold what a test says, behind a learner. */
async function learnerOf(config: object, values: Record<string, readonly number[]>) {
  await selectBackend('cpu');
  const parsed = modelSchema.parse(config);
  const model = createModel(parsed, known);
  const inits = model.init(new Random(3));
  for (const [name, data] of Object.entries(values)) {
    const init = inits.get(name);
    assert(init, `${name}: ${[...inits.keys()]}`);
    assert.equal(init.data.length, data.length, name);
    init.data.set(data);
  }
  const restored: RestoredModel = { model, config: parsed, catalogue: known, inits };
  return modelLearner(restored, learningSchema.parse({}), 1);
}

const LINEAR = { name: 'linear', width: 2, length: 3 };
/** Rows 0 to 4 of two numbers each. Weights by recency: e⁰ = 1, ½, ¼. */
const TABLES = {
  'item.embedding': [0, 0, 1, 0, 0, 1, 1, 1, 2, 0],
  'output.embedding': [0, 0, 1, 2, 3, 1, 0, 1, 1, 1],
  'output.bias': [0, 0.5, 0, -1, 2],
  recency: [0, 0, Math.log(0.5), Math.log(0.25)],
};

test('linear: the parts of events by hand; with the rest they sum to the score', async () => {
  const learner = await learnerOf(LINEAR, TABLES);
  try {
    // Four events, of which the newest three are read: items 1, 2, 3 weigh ¼, ½ and 1 of 1¾.
    const asked = query([4, 1, 2, 3]);
    const { events, values } = await learner.contributions!(asked, Int32Array.of(1, 4));
    assert.deepEqual(events, [1, 2, 3]);
    // in · out: with item 1 (1, 2): 1, 2, 3; with item 4 (1, 1): 1, 1, 2.
    const expected = [0.25 * 1, 0.25 * 1, 0.5 * 2, 0.5 * 1, 1 * 3, 1 * 2].map((part) => part / 1.75);
    for (const [i, part] of expected.entries())
      assert(Math.abs(values[i]! - part) < 1e-5, `${i}: ${values[i]}`);
    const scores = await learner.score([asked]);
    const rest = (await learner.score([query([])]))!;
    for (const [i, item] of [1, 4].entries()) {
      const parts = values[i]! + values[2 + i]! + values[4 + i]!;
      assert(Math.abs(parts + rest[item]! - scores[item]!) < 1e-5, `${item}`);
    }
  } finally {
    learner.dispose();
  }
});

test('sparse-linear: the parts of events by hand; with the rest they sum to the score', async () => {
  const learner = await learnerOf(
    { name: 'sparse-linear', neighbours: 2, length: 3, decay: 0.5 },
    {
      'item.neighbours': [0, 0, 2, 3, 1, 4, 4, 1, 1, 2],
      'item.weights': [0, 0, 0.2, 0.4, 0.6, 0.8, 1, -1, 2, 3],
      'output.bias': [0, 0.5, 0, -1, 2],
    },
  );
  try {
    const asked = query([4, 1, 2, 3]);
    const { events, values } = await learner.contributions!(asked, Int32Array.of(4, 1, 3));
    assert.deepEqual(events, [1, 2, 3]);
    // Items 1, 2 and 3 weigh ¼, ½, 1. Of item 1: 3 by .4; of 2: 1 by .6, 4 by .8; of 3: 4 by 1, 1 by −1.
    const expected = [0, 0, 0.1, 0.4, 0.3, 0, 1, -1, 0];
    for (const [i, part] of expected.entries())
      assert(Math.abs(values[i]! - part) < 1e-6, `${i}: ${values[i]}`);
    const scores = await learner.score([asked]);
    const rest = await learner.score([query([])]);
    for (const [i, item] of [4, 1, 3].entries()) {
      const parts = values[i]! + values[3 + i]! + values[6 + i]!;
      assert(Math.abs(parts + rest[item]! - scores[item]!) < 1e-5, `${item}`);
    }
  } finally {
    learner.dispose();
  }
});

test('other models: what the score loses without the event, of the newest twenty', async () => {
  // Each event adds its number to the score of item 1; of item 2 it takes it away.
  const score = async ({ items }: Query) => {
    const sum = items.reduce((total, item) => total + item, 0);
    return Float32Array.of(0, sum, -sum);
  };
  const asked = query([3, 1, 2], [0, 1, 0]);
  const items = Int32Array.of(1, 2);
  const scores = await score(asked);
  assert.deepEqual(await leftOut(asked, items, scores, score), {
    events: [2, 1, 0],
    values: Float32Array.of(2, -2, 1, -1, 3, -3),
  });
  const model = { catalogue: known, learner: {}, score, adapter: undefined };
  const [first, second] = await reasonsOf(asked, items, scores, model);
  assert.deepEqual(first, [
    { item: 'i3', behaviour: 'view', share: 0.5 },
    { item: 'i2', behaviour: 'view', share: 2 / 6 },
    { item: 'i1', behaviour: 'buy', share: 1 / 6 },
  ]);
  assert.deepEqual(second, [], 'nothing speaks for it');
  const long = query(Array.from({ length: 50 }, () => 1));
  assert.equal((await leftOut(long, items, await score(long), score)).events.length, 20);
  assert.deepEqual(await reasonsOf(query([]), items, scores, model), [[], []]);
});

test('asked for, each item says what it is in the list for; a list of popular items has no reasons', async (t) => {
  const { app, service } = await startServer(t, { learner: new CountingLearner(catalogue(3, 20)) });
  await post(app, '/v1/events', [event('1', 'i5', 'a'), event('2', 'i9', 'a'), event('3', 'i5', 'b')]);
  await service.idle();
  const { body } = await post(app, '/v1/recommendations', { user: 'b', k: 1, reasons: true });
  // i9 followed i5 once: without the event nothing but popularity speaks for it.
  assert.deepEqual(
    body.items.map(({ item, reasons }: { item: string; reasons: unknown }) => [item, reasons]),
    [['i9', [{ item: 'i5', behaviour: 'view', share: 1 }]]],
  );
  const short = await app.inject({ method: 'GET', url: '/v1/recommendations?user=b&k=1&reasons=true' });
  assert.equal(short.json().items[0].reasons[0].item, 'i5');
  const popular = await post(app, '/v1/recommendations', { user: 'nobody', k: 1, reasons: true });
  assert.equal('reasons' in popular.body.items[0], false);
  const plain = await post(app, '/v1/recommendations', { user: 'b', k: 1 });
  assert.equal('reasons' in plain.body.items[0], false);
});
