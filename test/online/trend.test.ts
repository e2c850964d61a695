import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LearnableStates, LearnExample } from '../../src/online/learner.js';
import { learningSchema } from '../../src/online/schema.js';
import { Trend } from '../../src/online/trend.js';
import { UserAdaptation } from '../../src/online/user-adaptation.js';

const close = (found: number, wanted: number): void =>
  assert(Math.abs(found - wanted) < 1e-6, `${found}, not ${wanted}`);

test('events on items, halved with every two that come after, by hand', () => {
  const trend = new Trend(2);
  assert.deepEqual([...trend.of(3)], [0, 0, 0]);
  trend.note(Int32Array.of(1, 1));
  trend.note(Int32Array.of(2, 4));
  // Item 1 counts 2 · ½; item 4 is beyond the columns asked for.
  for (const [i, count] of [0, 1, 1].entries()) close(trend.of(3)[i]!, Math.log1p(count));
  close(trend.of(6)[4]!, Math.log(2));
  assert.equal(trend.of(6)[5], 0);
  trend.note(new Int32Array(40).fill(3));
  assert.equal(trend.of(3)[1], 0, 'what weighs nothing any more is gone');
  trend.restart([3, 99]);
  assert.equal(trend.of(4)[3], 0);
});

test('from a snapshot it goes on with equal bits, wherever that was taken', () => {
  const batches = fc.array(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 9 }), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(batches, fc.nat(12), (all, at) => {
      const [whole, first, second] = [new Trend(7), new Trend(7), new Trend(7)];
      for (const items of all) whole.note(Int32Array.from(items));
      for (const items of all.slice(0, at)) first.note(Int32Array.from(items));
      second.load('served', first.snapshot('served'));
      for (const items of all.slice(at)) second.note(Int32Array.from(items));
      assert.deepEqual([...second.of(31)], [...whole.of(31)]);
    }),
  );
});

/** Of a model that scores items 1 to 4 alike. */
const states: LearnableStates = {
  width: 1,
  adapt: async (queries) => new Float32Array(queries.length),
  rank: async (given) => new Float32Array(given.length * 5),
  gradients: async (given) => new Float32Array(given.length),
};
const query = { user: 0, items: new Int32Array(0), behaviours: new Uint8Array(0) };
const event = (user: string, item: number): LearnExample =>
  ({ event: { user }, query, item, known: 5 }) as unknown as LearnExample;
const own = (trend: object) =>
  new UserAdaptation(states, learningSchema.parse({ user: { trend: { halfLife: 1e9, ...trend } } }).user);

test('who goes with the others has what they turn to higher up, who does not lower; of those before all is as everyone begins', async () => {
  const users = own({ rate: 1, decay: 0, start: 0.5 });
  assert.equal(users.changes('ann'), true);
  assert.deepEqual([...(await users.score([query], ['ann']))], [0, 0, 0, 0, 0], 'there is no trend yet');
  await users.learn([event('zoe', 2)]);
  const before = await users.score([query], ['ann']);
  close(before[2]!, 0.5 * Math.log(2));
  assert.deepEqual([before[1], before[3]], [0, 0]);
  await users.learn([event('ann', 2), event('bob', 1)]);
  // p(2) ∝ √2 beside three items of 1; φ(2) = log 2, and 0 of all others.
  const p2 = Math.SQRT2 / (3 + Math.SQRT2);
  close(users.weights('ann')![3]!, 0.5 - Math.log(2) * (p2 - 1));
  close(users.weights('bob')![3]!, 0.5 - Math.log(2) * p2);
  assert.deepEqual([...users.weights('ann')!.subarray(1, 3)], [0, 0], 'nothing comes again here');
  const copy = own({ rate: 1, decay: 0, start: 0.5 });
  copy.load('served', users.snapshot('served'));
  for (const user of ['ann', 'bob', 'carol'])
    assert.deepEqual(await copy.score([query], [user]), await users.score([query], [user]));
});

test('a row that has become another item’s is in no trend', async () => {
  const users = own({ start: 1 });
  await users.learn([event('zoe', 2)]);
  users.restart([2]);
  assert.equal((await users.score([query], ['ann']))[2], 0);
});
