import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CountingLearner, catalogue, event, post, startServer } from '../fixtures.js';
import { HandClock, opened } from './hand-clock.js';

/** A learner whose scores come when a test opens the gate. */
class SlowLearner extends CountingLearner {
  gate = Promise.resolve();

  override async score(queries: Parameters<CountingLearner['score']>[0]) {
    const { gate } = this;
    const scores = await super.score(queries);
    await gate;
    return scores;
  }
}

test('no scores in time: what is left of the user’s last list, else popular items; and both say so', async (t) => {
  const clock = new HandClock();
  const learner = new SlowLearner(catalogue(3, 20));
  const { app, service, metrics } = await startServer(t, {
    learner,
    serving: { clock },
    requests: { budgetMs: 100 },
    quality: { arms: false, share: 0 },
    learning: { enabled: false },
  });
  const list = async (user: string, over: object = {}) => {
    const { body } = await post(app, '/v1/recommendations', { user, k: 3, ...over });
    return {
      ids: (body.items as { item: string }[]).map(({ item }) => item),
      why: [body.fallback, body.fallbackReason],
      version: body.modelVersion,
    };
  };
  await post(app, '/v1/events', [event('e1', 'i7', 'u1'), event('e2', 'i7', 'u2')]);
  await service.idle();
  assert.deepEqual(await list('u1'), { ids: ['i1', 'i2', 'i3'], why: [false, undefined], version: 'base+0' });
  await post(app, '/v1/events', [event('e3', 'i2', 'u1')]);
  await service.idle();

  const gate = opened<void>();
  learner.gate = gate.promise;
  /** Asked, and answered once its time has passed. */
  const late = async (user: string, over: object = {}) => {
    const asked = list(user, over);
    // The request is at its scores when nothing else is to be done.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    clock.pass(100);
    return asked;
  };
  const left = await late('u1');
  assert.deepEqual(
    [left.ids, left.why],
    [
      ['i1', 'i3'],
      [true, 'budget'],
    ],
    'what was seen since is left out',
  );
  assert.deepEqual((await late('u2')).ids, ['i1', 'i2', 'i3'], 'no list before: popular items');
  assert.deepEqual(
    (await late('u1', { candidates: ['i9', 'i8'] })).ids,
    ['i8', 'i9'],
    'conditions: popular ones',
  );
  assert.match(
    await metrics.registry.metrics(),
    /recsys_recommendation_fallbacks_total\{reason="budget"\} 3\n/,
  );
  gate.resolve();

  learner.gate = Promise.resolve();
  const generous = await list('u1', { budgetMs: 60_000 });
  assert.deepEqual(
    [generous.ids, generous.why],
    [
      ['i1', 'i3', 'i4'],
      [false, undefined],
    ],
    'a budget of its own',
  );
});

test('a budget that is none is refused, by name', async (t) => {
  const { app } = await startServer(t);
  for (const budgetMs of [0, -1, 60_001, '5']) {
    const { status, body } = await post(app, '/v1/recommendations', { user: 'u1', budgetMs });
    assert.equal(status, 400);
    assert.equal(body.errors[0].field, 'budgetMs');
  }
  const short = await app.inject({ method: 'GET', url: '/v1/recommendations?user=u1&budgetMs=0' });
  assert.equal(short.statusCode, 400);
});
