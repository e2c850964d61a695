import assert from 'node:assert/strict';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { catalogue } from '../fixtures.js';
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

test('another model, with items in another order and users of its own: histories are by names, and items that came come again', async (t) => {
  const { serve, state, replayed, directory } = await shop(t);
  const known = catalogue(7, 43);
  // i43 … i1.
  const items = ['', ...known.items.slice(1).reverse()];
  const transformer = { name: 'transformer', width: 8, depth: 1, heads: 1, length: 10 };
  await writeTinyCheckpoint(
    join(directory, 'new'),
    4,
    {},
    { model: transformer, known: { ...known, items } },
  );
  const { running, client } = await serve();
  const sent: string[] = [];
  let n = 0;
  const feed = async (count: number) => {
    for (const end = n + count; n < end; n++) {
      // Some items that neither, and some that the new one alone knows.
      const event = eventOf(USERS[n % 3]!, n, n % 4 ? undefined : 41 + (n % 7));
      await client.event(event);
      if (event.user === 'u3') sent.push(event.item);
    }
    await caughtUp(running.url);
  };
  await feed(40);
  const { comparison, swapped } = await client.takeCheckpoint({ path: 'new', force: true });
  assert.equal(swapped, true);
  assert(comparison!.events > 0 && comparison!.unknown > 0);
  const history = async () => (await client.user('u3')).history!.map(({ item }) => item);
  assert.deepEqual(await history(), sent);
  await feed(10);
  assert.deepEqual(await history(), sent);
  assert.equal((await client.learning()).learned, 10);
  assert.deepEqual(
    new Set((await client.recommendations('u3', { k: 100 })).items.map(({ item }) => sent.includes(item))),
    new Set([false]),
  );
  await client.rollBackCheckpoint();
  await feed(6);
  assert.deepEqual(await history(), sent);
  await client.takeCheckpoint({ path: 'new', force: true });
  await running.stop();
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed('twin'));
});

test('what a power cut took of the journal is no longer known of it', async (t) => {
  const { serve, state } = await shop(t);
  const { running, client } = await serve();
  for (let n = 0; n < 9; n++) await client.event(eventOf('bob', n));
  await caughtUp(running.url);
  const { since } = await client.takeCheckpoint({ path: 'a', ...FORCED });
  await client.event(eventOf('bob', 9));
  await running.stop();
  const journal = join(state, 'journal');
  let lost = false;
  for (const name of (await readdir(journal)).filter((one) => one.endsWith('.log')).sort()) {
    const bytes = await readFile(join(journal, name));
    const at = bytes.indexOf('"checkpoint"');
    if (lost) await rm(join(journal, name));
    else if (at >= 0) await writeFile(join(journal, name), bytes.subarray(0, at));
    lost ||= at >= 0;
  }
  assert(lost);
  for (const one of ['snapshot', 'good']) await rm(join(state, one), { recursive: true });
  const again = await serve();
  assert.equal((await again.client.checkpoint()).since, 0);
  assert.equal((await again.client.user('bob')).events.length, 9);
  const next = await again.client.takeCheckpoint({ path: 'b', ...FORCED });
  assert(next.since <= since + 1);
  // As after a kill before it was remembered.
  const remembered = JSON.parse(await readFile(join(state, 'checkpoints.json'), 'utf8'));
  await again.running.stop();
  await writeFile(
    join(state, 'checkpoints.json'),
    JSON.stringify({ ...remembered, through: next.since - 1, records: [] }),
  );
  const last = await serve();
  assert.equal((await last.client.checkpoint()).sha256, next.sha256);
  await last.running.stop();
});
