import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import { RecsysError } from '../../../src/errors.js';
import { ClickFeatures } from '../../../src/online/clicks/features.js';
import { labelOf } from '../../../src/online/clicks/labels.js';
import { Logistic, sigmoid } from '../../../src/online/clicks/logistic.js';
import { ClickQuality, logLoss } from '../../../src/online/clicks/quality.js';
import { clicksSchema } from '../../../src/online/clicks/schema.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { catalogue, event, post, startServer, startService, temporary } from '../fixtures.js';
import { bitsOf, events, killed, startGuarded } from '../guard/fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const CLICKS = { enabled: true, positive: ['buy'], negative: ['view'], bits: 12 };

test('labels: behaviours first, then values', () => {
  const by = { positive: ['buy'], negative: ['skip'], minimumValue: 4 };
  assert.equal(labelOf({ behaviour: 'buy', value: 1 }, by), 1);
  assert.equal(labelOf({ behaviour: 'skip', value: 5 }, by), 0);
  assert.equal(labelOf({ behaviour: 'rate', value: 4 }, by), 1);
  assert.equal(labelOf({ behaviour: 'rate', value: 3.9 }, by), 0);
  assert.equal(labelOf({ behaviour: 'rate' }, by), undefined);
  assert.equal(labelOf({ behaviour: 'rate', value: 5 }, { ...by, minimumValue: undefined }), undefined);
});

test('settings that cannot make both labels are refused, and so are names that the model does not know', async (t) => {
  const said = (config: object): string => clicksSchema.safeParse(config).error?.message ?? 'fine';
  assert.equal(said({}), 'fine');
  assert.equal(said({ positive: ['a'] }), 'fine', 'it is off');
  assert.match(said({ enabled: true, positive: ['a'] }), /both labels/);
  assert.match(said({ ...CLICKS, negative: ['buy'] }), /buy is in/);
  assert.match(said({ ...CLICKS, crosses: [['user', 'genre']] }), /none of: user, item/);
  const refused = (clicks: object) =>
    temporary(t).then((dir) =>
      assert.rejects(startService(dir, { clicks: { ...CLICKS, ...clicks } }), RecsysError),
    );
  await refused({ negative: ['impression'] });
  await refused({ crosses: [['user', 'item.genre']] });
});

test('log-loss, calibration and rate over a window', () => {
  const quality = new ClickQuality(2);
  assert.ok(Number.isNaN(quality.figures().logLoss));
  for (const [logit, label] of [
    [9, 0],
    [Math.log(3), 1],
    [Math.log(1 / 4), 0],
  ] as const)
    quality.record(logit, label);
  // p = .75 and .2; the first event has left the window.
  const { logLoss: loss, rate, calibration } = quality.figures();
  assert.ok(Math.abs(loss + (Math.log(0.75) + Math.log(0.8)) / 2) < 1e-12);
  assert.equal(rate, 0.5);
  assert.ok(Math.abs(calibration - 0.95) < 1e-12);
  assert.equal(logLoss(-800, 1), 800, 'no overflow, however wrong');
  assert.equal(logLoss(800, 1), 0);
});

test('POST /v1/clicks: what was learned of events with a label, one by one', async (t) => {
  const { app, service } = await startServer(t, { clicks: CLICKS });
  const bought = { ...event('e1', 'i3', 'ann'), behaviour: 'buy' };
  assert.equal(
    (await post(app, '/v1/events', [bought, event('e2', 'i4', 'ann'), event('e3', 'i5', 'bob')])).status,
    200,
  );
  await service.idle();
  const config = clicksSchema.parse(CLICKS);
  const features = new ClickFeatures(catalogue(3, 20), config.crosses);
  const alone = new Logistic(config);
  for (const [user, item, label] of [
    ['ann', 3, 1],
    ['ann', 4, 0],
    ['bob', 5, 0],
  ] as const)
    alone.learn(features.of(user, item), label);
  const asked = { user: 'ann', items: ['i3', 'gone', 'i4', 'i20'] };
  const { status, body } = await post(app, '/v1/clicks', asked);
  assert.equal(status, 200);
  const p = (item: number): number => sigmoid(alone.logit(features.of('ann', item)));
  assert.deepEqual(body.items, [
    { item: 'i3', probability: p(3) },
    { item: 'i4', probability: p(4) },
    { item: 'i20', probability: p(20) },
  ]);
  assert.ok(p(3) > p(20) && p(20) > p(4));
  assert.deepEqual([body.user, body.unknown], ['ann', ['gone']]);
  const metrics = (await app.inject('/metrics')).body;
  assert.match(metrics, /recsys_clicks_learned_total{label="1"} 1\n/);
  assert.match(metrics, /recsys_clicks_learned_total{label="0"} 2\n/);
  assert.match(metrics, /recsys_clicks_rate 0\.33/);
  assert.match(metrics, /recsys_clicks_log_loss 0\.\d/);
  assert.equal((await post(app, '/v1/clicks', { user: 'ann', items: [] })).status, 400);
  assert.equal((await post(app, '/v1/clicks', { items: ['i1'] })).status, 400);
});

test('without a click model the route says so, and nothing is measured', async (t) => {
  const { app } = await startServer(t);
  const { status, body } = await post(app, '/v1/clicks', { user: 'ann', items: ['i1'] });
  assert.deepEqual([status, body.code], [404, 'NOT_FOUND']);
  assert.doesNotMatch((await app.inject('/metrics')).body, /recsys_clicks/);
});

/** Every third one is bought. */
const labelled = (from: number, count: number) =>
  events(from, count).map((one, i) => ({ ...one, behaviour: (from + i) % 3 ? 'view' : 'buy' }));

test('the state is a function of the journal: pauses, a rollback, snapshots and replays give equal bits', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  // Ratings below are not learned by the model that ranks: the click model learns from them all the same.
  const overrides = {
    clicks: CLICKS,
    learning: { weights: { view: 0 } },
    guard: { userBudget: { events: 8, window: 20 } },
  };
  const start = (at: string) => startGuarded(model, at, overrides);
  const learns = async (of: Awaited<ReturnType<typeof start>>, from: number, count: number) => {
    await of.service.accept(labelled(from, count));
    await of.service.idle();
    return (await bitsOf(of))['clicks.weights'];
  };
  const first = await start(state);
  const before = await learns(first, 0, 15);
  assert.notEqual(before, '');
  await first.snapshots.take();
  const after = await learns(first, 15, 10);
  assert.notEqual(after, before);
  await first.service.guard.pause();
  assert.equal(await learns(first, 25, 5), after, 'nothing is learned in a pause');
  await first.service.guard.rollback();
  assert.equal((await bitsOf(first))['clicks.weights'], before, 'what was learned is taken back');
  await first.service.guard.resume();
  assert.notEqual(await learns(first, 30, 10), before);
  const expected = await bitsOf(first);
  const fromSnapshot = await killed(state, join(dir, 'a'));
  const replayed = await killed(state, join(dir, 'b'), (path) => !/\/(snapshot|good)(\/|$)/.test(path));
  await first.snapshots.take();
  const newest = await killed(state, join(dir, 'c'));
  await first.service.close();
  for (const copy of [fromSnapshot, replayed, newest]) {
    const again = await start(copy);
    assert.deepEqual(await bitsOf(again), expected, copy);
    await again.service.close();
  }
});

test('a user’s budget holds for the click model, and it learns where the model that ranks does not', async (t) => {
  const { service } = await startService(await temporary(t), {
    clicks: CLICKS,
    learning: { enabled: false },
    guard: { userBudget: { events: 3, window: 100 } },
  });
  const p = () => service.clicks!.probabilities('ann', ['i1'])[0]!;
  const flood = async (from: number, count: number) => {
    await service.accept(events(from, count, { user: 'ann', behaviour: 'buy', item: 'i1' }));
    await service.idle();
    return p();
  };
  const within = await flood(0, 3);
  assert.ok(within > 0.5);
  assert.equal(await flood(3, 10), within);
  await service.close();
});

test('after an erasure and the next start it is what it would be without the user', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const first = await startGuarded(model, state, { clicks: CLICKS });
  const all = labelled(0, 24);
  await first.service.accept(all);
  await first.service.idle();
  await first.snapshots.take();
  await first.users.erase('user1');
  await first.service.close();
  const again = await startGuarded(model, state, { clicks: CLICKS });
  const found = (await bitsOf(again))['clicks.weights'];
  await again.service.close();
  const never = await startGuarded(model, join(dir, 'never'), { clicks: CLICKS });
  await never.service.accept(all.filter(({ user }) => user !== 'user1'));
  assert.equal((await bitsOf(never))['clicks.weights'], found);
  assert.notEqual(found, '');
  await never.service.close();
});

test('with another number of weights it begins afresh, and says so', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const first = await startGuarded(model, state, { clicks: CLICKS });
  await first.service.accept(labelled(0, 9));
  await first.service.idle();
  await first.snapshots.take();
  await first.service.close();
  const second = await startGuarded(model, state, { clicks: { ...CLICKS, bits: 10 } });
  assert.ok(
    second.lines.some((line) => /clicks\.bits: 12 → 10/.test(line)),
    second.lines.join('\n'),
  );
  assert.equal(second.service.clicks!.probabilities('user0', ['i1'])[0], 0.5);
  await second.service.close();
});
