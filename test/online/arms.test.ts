import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { restoreModel } from '../../src/model/restore.js';
import type { OnlineEvent } from '../../src/online/events.js';
import { frozenModel } from '../../src/online/frozen.js';
import { meanByUser } from '../../src/online/intervals.js';
import type { LearnExample } from '../../src/online/learner.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { logLossOf, Prequential, rankOf } from '../../src/online/prequential.js';
import { learningSchema } from '../../src/online/schema.js';
import { UserAdaptation, type UserRates, userAdaptation } from '../../src/online/user-adaptation.js';
import { Random } from '../../src/random.js';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { withNoise } from '../suites/fixtures.js';
import { writeTinyCheckpoint } from './checkpoint-fixture.js';
import {
  CountingLearner,
  catalogue,
  NOW,
  recordingContext,
  startServer,
  startService,
  temporary,
} from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

test('a mean over users: hand-computed, NaN left out, no interval from one user', () => {
  // Users a: 1, 0; b: 1. Mean 2/3; sums of what is apart: a −1/3, b 1/3; variance (2 / 9) · 2 / 9.
  const { mean, low, high } = meanByUser([1, Number.NaN, 0, 1], ['a', 'a', 'a', 'b']);
  assert.equal(mean, 2 / 3);
  assert(Math.abs(high - mean - (1.96 * Math.sqrt((2 / 9) * 2)) / 3) < 1e-12, `${high}`);
  assert(Math.abs(mean - low - (high - mean)) < 1e-12, `${low}`);
  assert(Number.isNaN(meanByUser([1, 0], ['a', 'a']).low), 'one user');
  assert(Number.isNaN(meanByUser([], []).mean), 'nothing');
});

test('the log-loss of a row is that of its softmax, padding and what is excluded left out', () => {
  const score = fc.float({ min: -30, max: 30, noNaN: true });
  fc.assert(
    fc.property(fc.array(score, { minLength: 3, maxLength: 20 }), fc.nat(), (scores, pick) => {
      const target = 1 + (pick % (scores.length - 1));
      const excluded = new Set([1 + ((pick + 1) % (scores.length - 1))].filter((item) => item !== target));
      const row = Float32Array.from([99, 99, ...scores]);
      const kept = scores.flatMap((s, item) => (item === 0 || excluded.has(item) ? [] : [Math.exp(s)]));
      const expected = Math.log(kept.reduce((a, b) => a + b, 0)) - scores[target]!;
      const barred = Uint8Array.from(scores, (_, item) => (excluded.has(item) ? 1 : 0));
      const found = logLossOf(row, 2, scores.length, target, barred);
      assert(Math.abs(found - expected) < 1e-4 * Math.max(1, Math.abs(expected)), `${found} ${expected}`);
    }),
  );
});

test('the window forgets what is older, arm by arm; differences are of the same events', () => {
  const quality = new Prequential(10, 3, ['frozen', 'learned']);
  const ranks = (frozen: number, learned: number) => [
    { rank: frozen, logLoss: frozen },
    { rank: learned, logLoss: learned },
  ];
  quality.record('a', ranks(1, 1));
  quality.record('b', ranks(3, 1));
  quality.record('c', ranks(20, 3));
  quality.miss('a');
  const [frozen, learned] = quality.quality();
  assert.deepEqual([frozen!.arm, learned!.arm], ['frozen', 'learned']);
  assert.equal(frozen!.ndcg.mean, 0.5 / 3);
  assert.equal(learned!.ndcg.mean, 1.5 / 3);
  assert.equal(learned!.hr.mean, 2 / 3);
  assert.equal(learned!.logLoss.mean, 2, 'a miss has no log-loss');
  const [difference] = quality.differences('frozen');
  assert.equal(difference!.ndcg.mean, (0.5 + 0.5 + 0) / 3);
  assert.equal(difference!.logLoss.mean, (-2 - 17) / 2);
  assert.equal(quality.count, 4);
  assert.equal(quality.unknown, 1);
  assert.equal(quality.values.ndcgAll, 2.5 / 4);
  assert.deepEqual(quality.differences('nobody'), []);
});

const states = (rows: readonly number[][]) => ({
  width: 2,
  adapt: async () => Float32Array.from(rows.flat()),
  rank: async (given: Float32Array) => given,
  // The gradient is the state itself: a step takes it towards 0.
  gradients: async (given: Float32Array) => given,
});
const ratesOf = (user: object): UserRates => learningSchema.parse({ user }).user;
const example = (user: string): LearnExample =>
  ({ event: { user }, query: {}, item: 1, known: 9 }) as unknown as LearnExample;

test('a user’s own weights: each step by hand, those of others untouched, and back from a snapshot', async () => {
  const adaptation = new UserAdaptation(states([[8, -4]]), ratesOf({ rate: 0.5, decay: 0.25 }));
  assert.equal(adaptation.has('ann'), false);
  await adaptation.learn([example('ann')]);
  // δ = −0.5 · (8, −4)
  assert.deepEqual([...(await adaptation.score([], ['ann']))], [4, -2]);
  await adaptation.learn([example('ann')]);
  // δ = 0.75 · (−4, 2) − 0.5 · (4, −2)
  assert.deepEqual([...(await adaptation.score([], ['ann']))], [3, -1.5]);
  assert.deepEqual([...(await adaptation.score([], ['bob']))], [8, -4]);
  const copy = new UserAdaptation(states([[8, -4]]), ratesOf({ rate: 0.5, decay: 0.25 }));
  copy.load('served', adaptation.snapshot('served'));
  assert.deepEqual([...(await copy.score([], ['ann']))], [3, -1.5]);
  const spoiled = new UserAdaptation(states([[Number.NaN, 1]]), ratesOf({ rate: 1, decay: 0 }));
  await spoiled.learn([example('ann')]);
  assert.equal(spoiled.has('ann'), false, 'a gradient that is no number is not kept');
});

test('what is learned of a user does not depend on what a list may cost', async () => {
  const shop = catalogue(4, 20);
  const made = (steps: number) => {
    const config = modelSchema.parse({ name: 'fast-weights', width: 4, hidden: [4], steps, length: 6 });
    const model = createModel(config, shop);
    return { model, config, catalogue: shop, inits: withNoise(model.init(new Random(1)), 2) };
  };
  const query = { user: 0, items: Int32Array.of(3, 5), behaviours: new Uint8Array(2) };
  const one = { event: { user: 'ann' }, query, item: 7, known: 21 } as unknown as LearnExample;
  const learned = await Promise.all(
    [3, 0].map(async (steps) => {
      const learner = modelLearner(made(3), learningSchema.parse({}), 1, { scoring: made(steps).model });
      const { served } = userAdaptation({
        learning: { user: ratesOf({ rate: 0.5, decay: 0 }) },
        learner,
      });
      const before = await learner.score([query]);
      await served!.learn([one]);
      const after = await served!.score([query], ['ann']);
      return { before, after, offsets: served!.snapshot('served').tensors };
    }),
  );
  const [own, fewer] = learned;
  assert.deepEqual(fewer!.offsets, own!.offsets);
  assert.notDeepEqual(fewer!.before, own!.before, 'lists keep to the budget');
  assert.notDeepEqual(fewer!.after, own!.after, 'also those with what was learned');
});

for (const tempered of [{ scale: 1 }, { scale: 0.4, added: 9 }])
  test(`gradients of states are those of finite differences, and a step makes the item likelier: ${JSON.stringify(tempered)}`, async (t) => {
    const dir = await temporary(t);
    await writeTinyCheckpoint(dir);
    const { states: of } = frozenModel(restoreModel(await readCheckpoint(dir)));
    const query = { user: 0, items: Int32Array.from([3, 5]), behaviours: new Uint8Array(2) };
    const state = Float32Array.from(await of.adapt([query]));
    const { scale } = tempered;
    const { length } = await of.rank(state);
    const added = tempered.added === undefined ? undefined : new Float32Array(length);
    added?.set([2, -1, tempered.added!], 3);
    const loss = async (at: Float32Array): Promise<number> => {
      const scores = (await of.rank(at)).map((score, i) => scale * score + (added?.[i] ?? 0));
      return logLossOf(scores, 0, length, 7, new Uint8Array(length));
    };
    const known = Int32Array.of(1000);
    const gradient = await of.gradients(state, Int32Array.of(7), known, { scale, added });
    for (let i = 0; i < of.width; i++) {
      const moved = (by: number) => state.map((x, j) => (j === i ? x + by : x));
      const found = ((await loss(moved(0.05))) - (await loss(moved(-0.05)))) / 0.1;
      assert(Math.abs(found - gradient[i]!) < 1e-3 + 0.02 * Math.abs(found), `${i}: ${found} ${gradient[i]}`);
    }
    const after = await loss(state.map((x, i) => x - 0.1 * gradient[i]!));
    assert(after < (await loss(state)), 'the step went the wrong way');
  });

const stream = (n: number): OnlineEvent[] =>
  Array.from({ length: n }, (_, i) => ({
    id: `e${i}`,
    user: `user${i % 4}`,
    item: i % 9 === 8 ? 'unheard of' : `i${((i * 7) % 20) + 1}`,
    behaviour: 'view',
    time: NOW + i,
  }));

test('four arms on one stream: each is what it says, by an independent count', async (t) => {
  const dir = await temporary(t);
  const known = catalogue(3, 20);
  const frozen = new CountingLearner(known);
  const learner = new CountingLearner(known);
  const { service } = await startService(dir, {
    catalogue: known,
    learner,
    learning: { batch: 1 },
    frozen: {
      ...frozen,
      states: undefined as never,
      columns: known.items.length,
      score: (q) => frozen.score(q),
      dispose() {},
    },
    quality: { includeSeen: true },
  });
  const events = stream(60);
  for (const event of events) {
    await service.accept([event]);
    await service.idle();
  }
  const { arms, count, unknown } = service.prequential;
  assert.deepEqual(arms, ['popularity', 'frozen', 'learned']);
  assert.deepEqual([count, unknown], [60, events.filter(({ item }) => item === 'unheard of').length]);
  const counts = Float32Array.from(known.itemCounts);
  let total = 0;
  for (const { item } of events) {
    const index = known.items.indexOf(item);
    if (index < 0) continue;
    const rank = rankOf(counts, 0, counts.length, index, new Uint8Array(counts.length));
    if (rank <= 10) total += 1 / Math.log2(rank + 1);
    counts[index]! += 1;
  }
  const quality = Object.fromEntries(service.prequential.quality().map(({ arm, ndcg }) => [arm, ndcg.mean]));
  assert(Math.abs(quality.popularity! - total / 60) < 1e-9, `${quality.popularity} ${total / 60}`);
  assert(quality.learned! > quality.frozen!, 'the learner has learned which item follows which');
  await service.close();
});

test('an arm that cannot be asked keeps nothing from being learned, and is spoken of once', async (t) => {
  const dir = await temporary(t);
  const known = catalogue(3, 20);
  const made = () => ({
    catalogue: known,
    context: recordingContext(),
    frozen: {
      columns: known.items.length,
      states: undefined as never,
      score: async () => Promise.reject(new Error('out of memory')),
      dispose() {},
    },
  });
  const first = made();
  const { service, learner } = await startService(dir, first);
  for (const event of stream(6)) {
    await service.accept([event]);
    await service.idle();
  }
  assert.equal((learner as CountingLearner).updates.length, 6);
  assert.equal(first.context.lines.filter((line) => line.includes('out of memory')).length, 1);
  await service.close();
  // A replay measures nothing: it must come to the same.
  const second = made();
  const again = await startService(dir, second);
  assert.deepEqual((again.learner as CountingLearner).updates, (learner as CountingLearner).updates);
  assert.deepEqual(
    second.context.lines.filter((line) => line.startsWith('warn')),
    [],
  );
  await again.service.close();
});

test('a share of the users is measured; the frozen model and weights of users survive a restart', async (t) => {
  const dir = await temporary(t);
  const model = `${dir}/model`;
  await writeTinyCheckpoint(model);
  const checkpoint = await readCheckpoint(model);
  const learning = { user: { rate: 0.5 }, learningRate: 0.1 };
  const made = () => {
    const restored = restoreModel(checkpoint);
    return {
      catalogue: checkpoint.catalogue,
      learner: modelLearner(restored, learningSchema.parse(learning), 1),
      frozen: frozenModel(restored),
      learning,
      quality: { share: 0.5, includeSeen: true },
    };
  };
  const events = stream(40);
  const first = await startService(`${dir}/journal`, made());
  for (let n = 0; n < 40; n += 5) {
    await first.service.accept(events.slice(n, n + 5));
    await first.service.idle();
  }
  assert.deepEqual(first.service.prequential.arms, ['popularity', 'frozen', 'adapted', 'learned']);
  const users = new Set(['user0', 'user1', 'user2', 'user3']);
  const { count } = first.service.prequential;
  assert(count > 0 && count < 40 && count % 10 === 0, `${count} of 40, 10 of each of ${users.size} users`);
  const request = { user: 'user1', includeSeen: false };
  const expected = await first.service.recommend(request);
  const { state } = await first.service.snapshot();
  assert.deepEqual(state.offsets.served!.users.toSorted(), [...users]);
  await first.service.close();
  const again = await startService(`${dir}/journal`, made());
  await again.service.idle();
  assert.deepEqual(await again.service.recommend(request), expected);
  assert.deepEqual((await again.service.snapshot()).state.offsets, state.offsets);
  await again.service.close();
});

test('GET /v1/quality says what each arm is at', async (t) => {
  const { app, service } = await startServer(t);
  await service.accept(stream(20));
  await service.idle();
  const reply = await app.inject({ url: '/v1/quality' });
  assert.equal(reply.statusCode, 200, reply.body);
  const { arms, differences, events, unknown, k } = reply.json();
  assert.deepEqual(
    arms.map(({ arm }: { arm: string }) => arm),
    ['popularity', 'learned'],
  );
  assert.deepEqual([differences.length, differences[0].against, k], [1, 'popularity', 10]);
  assert.deepEqual([events > 0, unknown], [true, 2]);
  const intervals = t.mock.method(service.prequential, 'quality');
  for (let scrape = 0; scrape < 3; scrape++) {
    const metrics = (await app.inject({ url: '/metrics' })).body;
    assert.match(metrics, /recsys_quality\{arm="learned",metric="ndcg",bound="mean"\} 0\.\d+/);
  }
  assert(intervals.mock.callCount() < 3, 'once a second at most');
});

test('GET /v1/quality of a service without events, and of one user: what is not known is null', async (t) => {
  const { app, service } = await startServer(t);
  const unknown = { mean: null, low: null, high: null };
  const fresh = await app.inject({ url: '/v1/quality' });
  assert.equal(fresh.statusCode, 200, fresh.body);
  const { arms, differences } = fresh.json();
  assert.deepEqual(arms[0], { arm: 'popularity', ndcg: unknown, hr: unknown, logLoss: unknown });
  assert.deepEqual([differences[0].ndcg, differences[0].logLoss], [unknown, unknown]);
  await service.accept([
    { id: 'a', user: 'u1', item: 'i1', behaviour: 'view', time: NOW },
    { id: 'b', user: 'u1', item: 'i2', behaviour: 'view', time: NOW + 1 },
  ]);
  await service.idle();
  const [popularity] = (await app.inject({ url: '/v1/quality' })).json().arms;
  assert.deepEqual(popularity.hr, { mean: 1, low: null, high: null });
});
