import assert from 'node:assert/strict';
import { cp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { selectBackend } from '../../../src/compute/select.js';
import { journalRecords } from '../../../src/online/journal/check.js';
import { Journal } from '../../../src/online/journal.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { temporary } from '../fixtures.js';
import { bitsOf, startGuarded } from '../guard/fixtures.js';
import { ANN, eventOf, filesWith, loggedIn, logOf } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const USERS = [ANN, 'bob', 'u3'];

async function recordsOf(state: string): Promise<Record<string, unknown>[]> {
  const records: Record<string, unknown>[] = [];
  for await (const { record } of journalRecords(join(state, 'journal'))) records.push(record as never);
  return records;
}

/** A state directory with a journal that was never written by an erasure: the records of before with tombstones, and those that followed. */
async function tombstoned(dir: string, before: Record<string, unknown>[], after: Record<string, unknown>[]) {
  const journal = await Journal.open(join(dir, 'journal'), { segmentBytes: 1e6 });
  const isAnns = (record: Record<string, unknown>) => record.type === 'event' && record.user === ANN;
  const stones = before.map((record) => (isAnns(record) ? { type: 'erased' } : record));
  await journal.append([...stones, ...after.slice(before.length)]);
  await journal.close();
  return dir;
}

/** What remains where numbers of records differ. */
async function withoutNumbers(running: Parameters<typeof bitsOf>[0]): Promise<Record<string, unknown>> {
  const { facts, ...rest } = await bitsOf(running);
  const { ids, learned, norms, budget } = JSON.parse(facts!);
  return { ...rest, ids: ids.ids, learned, norms, budget };
}

test('after an erasure no file holds the user, and a restart has the bits of the same journal with tombstones', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const impressions = await logOf(state);
  const running = await startGuarded(model, state, { serving: { impressions } });
  const { service, snapshots, users } = running;
  for (let n = 0; n < 30; n++) await service.accept([eventOf(USERS[n % 3]!, n)]);
  await service.idle();
  await snapshots.take();
  await writeFile(join(state, 'journal', 'journal-000000000001.log.cut-9'), `..."user":"${ANN}"`);
  await writeFile(join(state, 'journal', 'journal-000000000001.log.cut-99'), '..."user":"bob"');
  for (let n = 30; n < 45; n++) await service.accept([eventOf(USERS[n % 3]!, n)]);
  await service.idle();
  for (const [n, user] of [ANN, ...USERS].entries())
    await service.recommend({ user, includeSeen: true }, { requestId: `${user}/${n}` });
  const before = await recordsOf(state);
  assert((await filesWith(state, ANN)).length >= 4, 'in the journal, the snapshots and the log of lists');

  // Some of the user's events wait while they are erased.
  const waiting = [45, 46, 47, 48].map((n) => eventOf(USERS[n % 3]!, n));
  const [, erasure] = await Promise.all([service.accept(waiting), users.erase(ANN)]);
  assert.deepEqual(erasure, { events: 17, impressions: 2, rebuilt: 'scheduled', residual: [] });
  assert.deepEqual(await loggedIn(join(state, 'impressions')), ['erased', 'erased', 'bob', 'u3']);
  assert.deepEqual(await filesWith(state, ANN), []);
  assert((await readdir(join(state, 'journal'))).includes('journal-000000000001.log.cut-99'));
  assert.deepEqual(service.users.of(ANN).history, []);
  assert.equal(service.users.has(ANN), false);
  assert.equal((await service.recommend({ user: ANN, includeSeen: false })).fallback, true);

  for (let n = 49; n < 60; n++) await service.accept([eventOf(n % 2 ? ANN : 'bob', n)]);
  await service.idle();
  await snapshots.take();
  assert.deepEqual(
    (await readdir(state)).filter((name) => /^(snapshot|good|erasing)/.test(name)),
    [],
    'none holds what was learned of the user',
  );
  await service.close();
  await impressions.close();
  const after = await recordsOf(state);
  const erased = after.findIndex(({ type }) => type === 'erase');
  assert.deepEqual(after[erased], { type: 'erase' });

  const again = await startGuarded(model, state);
  const twin = await startGuarded(model, await tombstoned(join(dir, 'reference'), before, after));
  assert.deepEqual(await bitsOf(again), await bitsOf(twin));
  assert.deepEqual(
    again.lines.filter((line) => line.startsWith('warn')),
    [],
  );
  assert.deepEqual(again.service.users.of(ANN).history.length, 6, 'events after the erasure are a new user');
  // And from its own snapshot once more.
  const bits = await bitsOf(again);
  await again.snapshots.take();
  await again.service.close();
  await twin.service.close();
  const third = await startGuarded(model, state);
  assert.deepEqual(await bitsOf(third), bits);
  await third.service.close();
});

test('random streams with random erasures: the state is that of a service that never had the events', async (t) => {
  const dir = await temporary(t);
  const model = join(dir, 'model');
  await writeTinyCheckpoint(model);
  let run = 0;
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ user: fc.constantFrom(...USERS), item: fc.integer({ min: 1, max: 44 }) }),
    },
    { weight: 1, arbitrary: fc.record({ erase: fc.constantFrom(...USERS) }) },
    { weight: 1, arbitrary: fc.constantFrom('snapshot' as const, 'restart' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const state = join(dir, `state-${run++}`);
      // One event an update: what is learned does not depend on when the queue looked.
      const over = { learning: { batch: 1 } };
      let running = await startGuarded(model, state, over);
      let kept: ReturnType<typeof eventOf>[] = [];
      for (const [n, one] of steps.entries()) {
        if (one === 'snapshot') await running.snapshots.take();
        else if (one === 'restart') {
          await running.service.idle();
          await running.service.close();
          running = await startGuarded(model, state, over);
        } else if ('erase' in one) {
          await running.users.erase(one.erase);
          kept = kept.filter(({ user }) => user !== one.erase);
        } else {
          const event = eventOf(one.user, n, one.item);
          await running.service.accept([event]);
          kept.push(event);
        }
      }
      await running.service.idle();
      await running.service.close();
      const again = await startGuarded(model, state, over);
      const twin = await startGuarded(model, `${state}-twin`, over);
      for (const event of kept) await twin.service.accept([event]);
      assert.deepEqual(await withoutNumbers(again), await withoutNumbers(twin));
      await again.service.close();
      await twin.service.close();
    }),
    { numRuns: 15, seed: 11 },
  );
});

test('an erasure that a kill interrupted right after its record is completed by the next start', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, state);
  const { service, snapshots, users } = running;
  for (let n = 0; n < 12; n++) await service.accept([eventOf(USERS[n % 3]!, n)]);
  await service.idle();
  await snapshots.take();
  await service.accept([eventOf(ANN, 12)]);
  await service.idle();
  // The files as a kill would leave them, once the intent is written and nothing else is.
  await writeFile(join(state, 'erasing'), '');
  await service.users.forget(ANN);
  const killed = join(dir, 'killed');
  await cp(state, killed, { recursive: true });
  assert((await filesWith(killed, ANN)).length >= 3);
  await users.erase(ANN);
  await service.close();
  const finished = await startGuarded(model, killed);
  assert.deepEqual(await filesWith(killed, ANN), []);
  assert(finished.lines.some((line) => /completed 1 erasures/.test(line)));
  assert.equal((await readdir(killed)).includes('erasing'), false);
  const expected = await startGuarded(model, state);
  assert.deepEqual(await withoutNumbers(finished), await withoutNumbers(expected));
  await expected.service.close();
  await finished.service.close();
});

test('a marker without an intent is a kill before anything was promised', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const { service } = await startGuarded(model, state);
  await service.accept([eventOf(ANN, 1)]);
  await service.idle();
  await service.close();
  await writeFile(join(state, 'erasing'), '');
  const again = await startGuarded(model, state);
  assert.equal(again.service.users.of(ANN).history.length, 1);
  assert.equal((await readdir(state)).includes('erasing'), false);
  await again.service.close();
});

test('of who is not known there is nothing to rebuild', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const { service, snapshots, users } = await startGuarded(model, state);
  await service.accept([eventOf('bob', 1)]);
  await service.idle();
  assert.deepEqual(await users.erase('nobody'), {
    events: 0,
    impressions: 0,
    rebuilt: 'now',
    residual: [],
  });
  assert.equal(snapshots.suspended, false);
  assert.deepEqual(await filesWith(state, 'nobody'), []);
  const known = await users.erase('u3');
  assert.deepEqual(
    known.residual.map(({ where }) => where),
    ['checkpoint'],
  );
  await service.close();
});

test('a compacted journal: its snapshot loses what is the user’s own, and the answer says what is left', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const retention = { segmentBytes: 4096, segments: 1 };
  const running = await startGuarded(model, state, { retention });
  const { service, snapshots, users } = running;
  const learn = async (from: number, to: number) => {
    for (let n = from; n < to; n++) await service.accept([eventOf(USERS[n % 3]!, n)]);
    await service.idle();
  };
  await learn(0, 60);
  await snapshots.take();
  assert(service.users.records.first > 1, 'older segments are gone');
  await learn(60, 70);
  assert(service.users.has(ANN));
  const erasure = await users.erase(ANN);
  assert.equal(erasure.rebuilt, 'scheduled');
  assert.deepEqual(
    erasure.residual.map(({ where }) => where),
    ['weights'],
  );
  assert.deepEqual(await filesWith(state, ANN), []);
  await service.close();
  const again = await startGuarded(model, state, { retention });
  assert(again.lines.some((line) => /going on from the snapshot/.test(line)));
  assert.equal(again.service.users.has(ANN), false);
  assert.equal(again.service.users.of('bob').history.length, service.users.of('bob').history.length);
  await again.service.accept([eventOf(ANN, 100)]);
  await again.service.idle();
  assert.equal(again.service.users.of(ANN).history.length, 1);
  await again.service.close();
});

test('an erasure after a rollback: what was taken back stays so, without the user', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const { service, snapshots, users } = await startGuarded(model, state);
  const learn = async (from: number, to: number) => {
    for (let n = from; n < to; n++) await service.accept([eventOf(USERS[n % 3]!, n)]);
    await service.idle();
  };
  await learn(0, 10);
  await snapshots.take();
  await learn(10, 20);
  await service.guard.rollback();
  await learn(20, 25);
  await service.guard.pause();
  await learn(25, 28);
  const before = await recordsOf(state);
  await users.erase(ANN);
  await assert.rejects(service.guard.rollback(), { code: 'CONFLICT' });
  await service.guard.resume();
  await learn(28, 32);
  await service.close();
  const after = await recordsOf(state);
  const again = await startGuarded(model, state);
  const twin = await startGuarded(model, await tombstoned(join(dir, 'reference'), before, after));
  const bits = await bitsOf(again);
  assert.deepEqual(bits, await bitsOf(twin));
  assert.equal(JSON.parse(bits.facts!).rollbacks, 1);
  await again.service.close();
  await twin.service.close();
});
