import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { excess } from '../../src/online/excess.js';
import type { LearnableStates, LearnExample } from '../../src/online/learner.js';
import { addRepeats, repeatGradient, repeatsOf } from '../../src/online/repeats.js';
import { learningSchema } from '../../src/online/schema.js';
import { adaptsUsers, UserAdaptation } from '../../src/online/user-adaptation.js';
import type { Query } from '../../src/types.js';

const queryOf = (...items: number[]): Query => ({
  user: 0,
  items: Int32Array.from(items),
  behaviours: new Uint8Array(items.length),
});

test('what a history says of items that may come again, by hand', () => {
  const { items, recent } = repeatsOf(queryOf(7, 3, 0, 9, 3), 9);
  assert.deepEqual([...items], [3, 7]);
  assert.deepEqual([...recent], [1, Math.fround(1 / 5)]);
  const scores = new Float32Array(9).fill(1);
  addRepeats(scores, { items, recent }, [10, 2]);
  assert.deepEqual([...scores], [1, 1, 1, 13, 1, 1, 1, 5, 1]);
  assert.deepEqual(repeatsOf(queryOf(), 9).items.length, 0);
});

test('gradients of weights of what comes again are those of finite differences', () => {
  const given = fc.record({
    items: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 8 }),
    logits: fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 13, maxLength: 13 }),
    weights: fc.tuple(
      fc.double({ min: -2, max: 2, noNaN: true }),
      fc.double({ min: -2, max: 2, noNaN: true }),
    ),
    known: fc.integer({ min: 2, max: 13 }),
    item: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(given, ({ items, logits, weights, known, item }) => {
      fc.pre(item < known);
      const of = repeatsOf(queryOf(...items), 13);
      const scored = (by: readonly number[]): Float32Array => {
        const scores = Float32Array.from(logits);
        addRepeats(scores, of, by);
        return scores;
      };
      const loss = (by: readonly number[]): number => {
        const scores = [...scored(by)].slice(0, known);
        return Math.log(scores.slice(1).reduce((sum, x) => sum + Math.exp(x), 0)) - scores[item]!;
      };
      const gradient = repeatGradient(excess(scored(weights), item, known), of);
      for (const k of [0, 1]) {
        const moved = (by: number) => weights.map((weight, i) => (i === k ? weight + by : weight));
        const found = (loss(moved(0.01)) - loss(moved(-0.01))) / 0.02;
        assert(Math.abs(found - gradient[k]!) < 1e-3, `${found} ${gradient[k]}`);
      }
    }),
  );
});

/** Of a model of one number that scores items 1 to 4 as they stand here. */
const states: LearnableStates = {
  width: 1,
  adapt: async (queries) => new Float32Array(queries.length),
  rank: async (given) => Float32Array.from(Array.from(given, () => [0, 0, 0, 2, 0]).flat()),
  gradients: async (given) => new Float32Array(given.length),
};
const ratesOf = (user: object) => learningSchema.parse({ user: { decay: 0, scale: 0.5, ...user } }).user;
const begin = { recent: 1, seen: 0 };
const event = (user: string, item: number, ...had: number[]): LearnExample =>
  ({ event: { user }, query: queryOf(...had), item, known: 5 }) as unknown as LearnExample;

test('a user who comes back has what they had higher up, one who never does lower; others are as everyone begins', async () => {
  const own = new UserAdaptation(states, ratesOf({ repeat: { rate: 1, decay: 0.5, start: begin } }));
  const score = async (user: string): Promise<number> => (await own.score([queryOf(4, 2)], [user]))[2]!;
  assert.equal(own.has('ann'), false);
  assert.equal(own.changes('ann'), true);
  assert.deepEqual([...(await own.score([queryOf(4, 2)], ['ann']))], [0, 0, 1, 1, 0.5], 'scores by half');
  await own.learn([event('ann', 2, 4, 2), event('bob', 1, 4, 2)]);
  // p ∝ e^(0, 1, 1, .5): the gradient of `seen` is p(2) + p(4) − 1, that of `recent` p(2) + p(4) / 2 − 1.
  const total = 1 + 2 * Math.E + Math.exp(0.5);
  const [p2, p4] = [Math.E / total, Math.exp(0.5) / total];
  const [, recent, seen, trend] = own.weights('ann')!;
  assert.equal(trend, 0, 'of the trend there is no weight');
  assert(Math.abs(recent! - (1 - (p2 + p4 / 2 - 1))) < 1e-6);
  assert(Math.abs(seen! - (0 - (p2 + p4 - 1))) < 1e-6);
  assert((await score('ann')) > 1);
  assert((await score('bob')) < 1);
  assert.equal(await score('carol'), 1);
  for (let n = 0; n < 60; n++) await own.learn([event('ann', 1)]);
  assert(Math.abs(own.weights('ann')![1]! - 1) < 1e-6, 'what is not confirmed goes back to the start');
});

test('weights of what comes again are in the snapshot; one without them begins as everyone', async () => {
  const repeat = { rate: 1, decay: 0, start: begin };
  const own = new UserAdaptation(states, ratesOf({ repeat }));
  await own.learn([event('ann', 2, 4, 2)]);
  const copy = new UserAdaptation(states, ratesOf({ repeat }));
  copy.load('served', own.snapshot('served'));
  assert.deepEqual(copy.weights('ann'), own.weights('ann'));
  const without = ratesOf({});
  const plain = new UserAdaptation(states, without);
  plain.load('served', own.snapshot('served'));
  assert.deepEqual([...plain.weights('ann')!], [0]);
  copy.load('served', plain.snapshot('served'));
  assert.deepEqual([...copy.weights('ann')!], [0, 1, 0, 0]);
});

test('users have weights of their own where a rate or a beginning says so', () => {
  assert.equal(adaptsUsers(ratesOf({})), false);
  assert.equal(adaptsUsers(ratesOf({ rate: 0.1 })), true);
  assert.equal(adaptsUsers(ratesOf({ repeat: { rate: 1 } })), true);
  assert.equal(adaptsUsers(ratesOf({ repeat: { start: { seen: -1 } } })), true);
  assert.equal(adaptsUsers(ratesOf({ trend: { rate: 1 } })), true);
  assert.equal(adaptsUsers(ratesOf({ trend: { start: -1 } })), true);
});
