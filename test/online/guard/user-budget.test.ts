import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { selectBackend } from '../../../src/compute/select.js';
import { UserBudget } from '../../../src/online/guard/user-budget.js';
import { journalRecords } from '../../../src/online/journal/check.js';
import { rankOf } from '../../../src/online/prequential.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { temporary } from '../fixtures.js';
import { bitsOf, events, killed, startGuarded } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

test('of the last `window` events learned, at most `events` are one user’s; who is below is never held back', () => {
  const users = fc.array(fc.constantFrom('a', 'a', 'a', 'b', 'c', 'd'), { maxLength: 200 });
  fc.assert(
    fc.property(
      users,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 5, max: 20 }),
      (sent, most, window) => {
        const budget = new UserBudget({ events: most, window });
        const taken: string[] = [];
        for (const user of sent) {
          // By hand: the window that the event would be the last of.
          const own = taken.slice(-(window - 1)).filter((one) => one === user).length;
          const before = window === 1 ? 0 : own;
          assert.equal(budget.take(user), before < most);
          if (before < most) taken.push(user);
        }
        const copy = new UserBudget({ events: most, window });
        copy.load(JSON.parse(JSON.stringify(budget.snapshot())));
        assert.deepEqual(copy.snapshot(), budget.snapshot());
        for (const user of sent) assert.equal(copy.take(user), budget.take(user));
      },
    ),
  );
  const none = new UserBudget({ events: 0, window: 10 });
  for (let n = 0; n < 100; n++) assert(none.take('a'));
});

const FLOODED = 'i40';

/** Mean rank of an item, of 40, in the lists of ten others, before and after one user sends 5,000 events of it. */
async function flood(dir: string, model: string, userBudget: object) {
  const state = join(dir, JSON.stringify(userBudget).replaceAll(/\W/g, ''));
  const running = await startGuarded(model, state, {
    learning: { learningRate: 0.005, batch: 16 },
    quality: { share: 0 },
    guard: { userBudget },
  });
  const { service, learner } = running;
  const rank = async (): Promise<number> => {
    const queries = Array.from({ length: 10 }, (_, n) => ({
      user: 0,
      items: Int32Array.of(n + 1, n + 11),
      behaviours: new Uint8Array(2),
    }));
    const scores = await learner.score(queries);
    const columns = scores.length / queries.length;
    const ranks = queries.map((_, row) => rankOf(scores, row * columns, 41, 40, new Uint8Array(41)));
    return ranks.reduce((sum, one) => sum + one, 0) / ranks.length;
  };
  const start = await rank();
  for (let n = 0; n < 5000; n += 500)
    await service.accept(events(n, 500, { user: 'attacker', item: FLOODED }));
  await service.idle();
  return { running, state, start, end: await rank() };
}

test('a user who sends 5,000 events of one item moves its rank for others less than without the bound', async (t) => {
  const dir = await temporary(t);
  const model = join(dir, 'model');
  await writeTinyCheckpoint(model);
  const free = await flood(dir, model, { events: 0 });
  const bound = await flood(dir, model, { events: 100 });
  const usual = await flood(dir, model, {});
  assert.deepEqual([usual.start, bound.start], [free.start, free.start]);
  const moved = [free, usual, bound].map(({ start, end }) => start - end);
  // Measured: 17.1, 13.5 and 5.6 places.
  assert(moved[0]! > moved[1]! + 1 && moved[1]! > moved[2]! + 1, `${moved}`);
  const { service } = bound.running;
  assert.equal((await service.snapshot()).state.queue.learned, 100);
  // Own history and weights go on.
  const { state } = await service.snapshot();
  assert.deepEqual(state.offsets.served!.users, ['attacker']);
  const reasons = new Map<string, number>();
  for await (const { record } of journalRecords(join(bound.state, 'journal')))
    for (const [reason, seqs] of Object.entries(
      (record as { skipped?: Record<string, number[]> }).skipped ?? {},
    ))
      reasons.set(reason, (reasons.get(reason) ?? 0) + seqs.length);
  assert.deepEqual([...reasons], [['user budget', 4900]]);
  // Others go on to be learned.
  await service.accept(events(9000, 50));
  const expected = await bitsOf(bound.running);
  assert.equal(JSON.parse(expected.facts!).learned, 150);
  const copy = await killed(bound.state, join(dir, 'killed'));
  const again = await startGuarded(model, copy, {
    learning: { learningRate: 0.005, batch: 16 },
    quality: { share: 0 },
    guard: { userBudget: { events: 100 } },
  });
  assert.deepEqual(await bitsOf(again), expected);
  for (const one of [free.running, bound.running, usual.running, again]) await one.service.close();
});
