import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import { eventOf } from '../privacy/fixtures.js';
import { caughtUp } from '../serve-fixture.js';
import { shop, stateOf } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const USERS = ['ann', 'bob', 'u3'];
const FORCED = { force: true };

test('through a swap every request is answered and every event kept; the version changes once, and the state is what the journal makes of it', async (t) => {
  const { serve, state, replayed } = await shop(t);
  const { running, client } = await serve();
  for (let n = 0; n < 60; n++)
    await client.event(eventOf(USERS[n % 3]!, n, n % 3 ? undefined : 41 + (n % 5)));
  await caughtUp(running.url);
  const first = await client.checkpoint();
  assert.deepEqual([first.since, first.before], [0, null]);
  let going = true;
  let sent = 0;
  const seen: string[] = [];
  const events = (async () => {
    for (; going; sent++) assert.equal((await client.event(eventOf('bob', 1000 + sent))).accepted, 1);
  })();
  const lists = (async () => {
    while (going) {
      const { modelVersion, items } = await client.recommendations('bob', { includeSeen: true });
      assert.equal(items.length, 10);
      seen.push(modelVersion.split('+')[0]!);
      assert.equal(await client.ready(), true);
    }
  })();
  while (seen.length < 20) await client.ready();
  const taken = await client.takeCheckpoint({ path: 'a', ...FORCED });
  assert.equal(taken.swapped, true);
  assert.equal(taken.before?.sha256, first.sha256);
  const until = sent + 30;
  while (sent < until) await client.ready();
  going = false;
  await Promise.all([events, lists]);
  await caughtUp(running.url);
  assert.deepEqual([...new Set(seen)], [first.version, taken.version]);
  assert.equal(seen.lastIndexOf(first.version) + 1, seen.indexOf(taken.version));
  const known = await client.user('bob', { limit: 10_000 });
  assert.equal(new Set(known.events.map(({ id }) => id)).size, 20 + sent);
  assert.equal(known.history?.length, 20 + sent);
  assert.match(await client.metrics(), new RegExp(`recsys_model_info.*version="${taken.version}"`));
  assert.deepEqual(await client.checkpoint().then(({ requestId: _, ...rest }) => rest), {
    ...{
      path: taken.path,
      sha256: taken.sha256,
      version: taken.version,
      since: taken.since,
      before: taken.before,
    },
  });
  await running.stop();
  assert.deepEqual(
    running.lines.filter((line) => line.startsWith('warn')),
    [],
  );
  const left = await stateOf(join(state, 'snapshot'));
  assert.deepEqual(left, await replayed('twin'));
  // A start with the settings of before goes on with what the journal went on to, and says so.
  const again = await serve();
  assert(again.running.lines.some((line) => /going on from the snapshot/.test(line)));
  assert(again.running.lines.some((line) => /^warn: the journal went on to another checkpoint/.test(line)));
  assert.equal((await again.client.recommendations('bob')).modelVersion.split('+')[0], taken.version);
  await again.running.stop();
  assert.deepEqual(await stateOf(join(state, 'snapshot')), left);
});

test('a rollback brings back what had been learned before, and what came meanwhile stays in histories', async (t) => {
  const { serve, state, replayed, directory } = await shop(t);
  const { running, client } = await serve();
  await assert.rejects(client.rollBackCheckpoint(), { status: 409, code: 'CHECKPOINT_REFUSED' });
  let n = 0;
  const feed = async (count: number) => {
    for (const end = n + count; n < end; n++) await client.event(eventOf(USERS[n % 3]!, n));
    await caughtUp(running.url);
  };
  await feed(30);
  const learned = async () => (await client.learning()).learned;
  const before = await learned();
  assert(before > 0);
  for (const path of ['a', 'b']) {
    assert.equal((await client.takeCheckpoint({ path, ...FORCED })).swapped, true);
    assert.equal(await learned(), 0);
    await feed(12);
  }
  const ofB = await learned();
  assert.equal(ofB, 12);
  const toA = await client.rollBackCheckpoint();
  assert.equal(toA.path, join(directory, 'a'));
  assert.equal(await learned(), 12);
  await feed(6);
  const first = await client.rollBackCheckpoint();
  assert.deepEqual([first.before, await learned()], [null, before]);
  await feed(6);
  assert.equal((await client.user('ann')).history?.length, 22);
  // The same again is another line.
  const again = await client.takeCheckpoint({ path: 'a', ...FORCED });
  assert.equal(again.version, `${toA.version}@${again.since}`);
  await feed(6);
  await client.rollBackCheckpoint();
  assert.equal(await learned(), before + 6);
  await running.stop();
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed('twin'));
});

test('a checkpoint that was moved is named with what to do; a copy of it serves as well, another one does not', async (t) => {
  const { serve, directory, dir } = await shop(t);
  const { running, client } = await serve();
  await client.event(eventOf('bob', 1));
  const { version } = await client.takeCheckpoint({ path: 'a', ...FORCED });
  await running.stop();
  const copy = join(dir, 'copy');
  await rename(join(directory, 'a'), copy);
  await assert.rejects(serve(), { code: 'CHECKPOINT_MOVED', message: /checkpoints\/a is gone/ });
  await rename(join(directory, 'b'), join(directory, 'a'));
  await assert.rejects(serve(), { code: 'CHECKPOINT_MOVED', message: /is another one now/ });
  await assert.rejects(serve({}, join(directory, 'a')), {
    code: 'CHECKPOINT_INCOMPATIBLE',
    message: /taken up at record/,
  });
  const moved = await serve({}, copy);
  assert.equal((await moved.client.checkpoint()).version, version);
  await moved.running.stop();
});
