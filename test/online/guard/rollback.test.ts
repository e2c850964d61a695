import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import { onlyBase } from '../../../src/online/checkpoints/base.js';
import { GoodState } from '../../../src/online/guard/good.js';
import { journalRecords } from '../../../src/online/journal/check.js';
import { TENSORS } from '../../../src/online/learner.js';
import { goodPath } from '../../../src/online/state-directory.js';
import { readCheckpoint } from '../../../src/storage/checkpoint.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { temporary } from '../fixtures.js';
import { bitsOf, events, type Guarded, killed, startGuarded } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

/** A journal with pauses, resumes and two rollbacks in it, each amid events. */
async function eventful({ service, snapshots }: Guarded): Promise<void> {
  const learn = async (from: number, count: number): Promise<void> => {
    await service.accept(events(from, count));
    await service.idle();
  };
  await learn(0, 7);
  await snapshots.take();
  await learn(7, 9);
  // Events are waiting while this is written.
  const [, to] = await Promise.all([service.accept(events(16, 8)), service.guard.rollback()]);
  assert(to > 0);
  await learn(24, 5);
  await Promise.all([service.guard.pause(), service.accept(events(29, 5))]);
  await service.idle();
  await service.guard.resume();
  await learn(34, 6);
  await service.guard.rollback();
  await learn(40, 4);
  await service.idle();
}

test('what was learned is taken back bit by bit; histories, popularity and ids stay', async (t) => {
  const dir = await temporary(t);
  const model = join(dir, 'model');
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, join(dir, 'state'));
  const { service, snapshots, learner } = running;
  await service.accept(events(0, 10));
  await service.idle();
  await snapshots.take();
  const good = await service.snapshot();
  assert.equal(service.guard.good, good.state.position);
  await service.accept(events(10, 10));
  await service.idle();
  const spoiled = await service.snapshot();
  assert.notDeepEqual(spoiled.learner.parameters, good.learner.parameters);
  assert.equal(await service.guard.rollback(), good.state.position);
  const after = await service.snapshot();
  assert.deepEqual(after.learner, good.learner);
  assert.deepEqual(after.state.offsets, good.state.offsets);
  assert.deepEqual(after.state.histories, spoiled.state.histories);
  assert.deepEqual(after.state.popularity, spoiled.state.popularity);
  assert.deepEqual(after.state.ids, spoiled.state.ids);
  assert.equal(after.state.queue.learned, 10);
  assert.match((await service.recommend({ user: 'u1', includeSeen: false })).modelVersion, /\+10\.1$/);
  assert.equal((await service.accept(events(12, 1)))[0]!.status, 'duplicate');
  await service.close();
  assert.equal(learner.name, 'linear');
});

test('after a kill: the same bits from the base and from the snapshot', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, state);
  await running.snapshots.take();
  await eventful(running);
  const expected = await bitsOf(running);
  await killed(state, join(dir, 'late'));
  const records: { type: string; to?: number }[] = [];
  for await (const { record } of journalRecords(join(state, 'journal'))) records.push(record as never);
  const controls = records.filter(({ type }) => ['pause', 'resume', 'rollback'].includes(type));
  assert.deepEqual(
    controls.map(({ type }) => type),
    ['rollback', 'pause', 'resume', 'rollback'],
  );
  await running.service.close();
  const whole = join(dir, 'base');
  await cp(join(dir, 'late', 'journal'), join(whole, 'journal'), { recursive: true });
  for (const from of [whole, join(dir, 'late')]) {
    const again = await startGuarded(model, from);
    assert.deepEqual(await bitsOf(again), expected, from);
    assert.deepEqual(
      again.lines.filter((line) => line.startsWith('warn') && !line.includes('good snapshot')),
      [],
    );
    await again.service.close();
  }
});

test('a kill right after a rollback: the snapshot after the good one goes back by the copy on the disk', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, state);
  const { service, snapshots } = running;
  await service.accept(events(0, 6));
  await service.idle();
  await snapshots.take();
  const good = service.guard.good!;
  await service.accept(events(6, 6));
  await service.idle();
  await service.guard.pause('worse than the frozen model');
  await snapshots.take();
  assert.equal(service.guard.good, good, 'a snapshot of a paused service is none to go back to');
  await service.guard.rollback();
  await service.guard.resume();
  await service.accept(events(12, 6));
  const expected = await bitsOf(running);
  const copy = await killed(state, join(dir, 'killed'));
  await service.close();
  const again = await startGuarded(model, copy);
  assert(again.lines.some((line) => /going on from the snapshot at journal record/.test(line)));
  assert.deepEqual(await bitsOf(again), expected);
  await again.service.close();
  // Without the copy it says what to do, and that gives the same.
  await rm(join(copy, 'good'), { recursive: true });
  await assert.rejects(startGuarded(model, copy), {
    code: 'JOURNAL_DAMAGED',
    remedy: /Remove the folder `snapshot`/,
  });
  await rm(join(copy, 'snapshot'), { recursive: true });
  const replayed = await startGuarded(model, copy);
  assert.deepEqual(await bitsOf(replayed), expected);
  await replayed.service.close();
});

test('a good snapshot learned by another arithmetic is none to go back to', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const { service, snapshots, learner } = await startGuarded(model, state);
  await service.accept(events(0, 6));
  await service.idle();
  await snapshots.take();
  const { journalId } = service;
  const to = service.guard.good!;
  assert(to > 0);
  await service.close();
  const open = async (arithmetic: string): Promise<GoodState> => {
    const base = await readCheckpoint(model);
    const rows = base.catalogue.items.length + 5;
    const facts = { base: onlyBase(base).eras, data: null, optimizer: 'adagrad', arithmetic, rows };
    return GoodState.open(goodPath(state), facts, () => undefined);
  };
  const same = await open(learner.arithmetic!);
  assert.equal(same.position(journalId), to);
  assert.notEqual(await same.read(journalId, to), undefined);
  const other = await open(TENSORS);
  assert.equal(other.position(journalId), undefined);
  assert.equal(await other.read(journalId, to), undefined);
});

test('a pause is in the journal and outlives a kill; without a good snapshot there is nothing to go back to', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, state);
  await assert.rejects(running.service.guard.rollback(), { code: 'CONFLICT' });
  await running.service.guard.pause();
  await running.service.accept(events(0, 3));
  const expected = await bitsOf(running);
  const copy = await killed(state, join(dir, 'killed'));
  await running.service.close();
  const again = await startGuarded(model, copy);
  assert.deepEqual(again.service.learningState.paused, { reason: 'paused by an operator', since: 1 });
  await again.service.accept(events(0, 3));
  assert.deepEqual(await bitsOf(again), expected);
  await again.service.close();
});

test('a rollback past items that came: they stay in the catalogue, and begin again as they came', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const first = await startGuarded(model, state);
  const { service, snapshots } = first;
  await service.accept([...events(0, 20), ...events(30, 4, { item: 'before' })]);
  await service.idle();
  await snapshots.take();
  await service.accept(events(40, 12, { item: 'after' }));
  await service.idle();
  const learned = await bitsOf(first);
  await service.guard.rollback();
  await service.guard.resume();
  await service.accept([...events(60, 6, { item: 'after' }), ...events(70, 6, { item: 'before' })]);
  const expected = await bitsOf(first);
  assert.notDeepEqual(expected, learned);
  const { catalogue } = await service.snapshot();
  assert.deepEqual(catalogue.items.slice(-2), ['before', 'after']);
  // From the snapshots, and without any: the state at the rollback's position is come to again, or read with fewer rows.
  const whole = await killed(state, join(dir, 'whole'));
  const bare = await killed(state, join(dir, 'bare'), (path) => !/snapshot|good/.test(path));
  for (const from of [whole, bare]) {
    const again = await startGuarded(model, from);
    assert.deepEqual(await bitsOf(again), expected, from);
    await again.service.close();
  }
  await service.close();
});
