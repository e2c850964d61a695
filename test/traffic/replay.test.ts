import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Event, Receipts, RecsysClient } from '../../src/client/index.js';
import { ReplayClock } from '../../src/traffic/clock.js';
import { readLog, type TimedEvent } from '../../src/traffic/log.js';
import { replay } from '../../src/traffic/replay.js';
import { replaySchema } from '../../src/traffic/schema.js';
import { clientOf } from '../../src/traffic/service.js';
import { recordingContext, startServer, temporary } from '../online/fixtures.js';

const config = (over: object = {}) => replaySchema.parse({ to: 'http://127.0.0.1:1', events: 'x', ...over });

const timed = (n: number, over: object = {}): TimedEvent => ({
  id: `e${n}`,
  user: `u${n % 3}`,
  item: `i${(n % 20) + 1}`,
  behaviour: 'view',
  time: 1000 * n,
  ...over,
});

/** A service that remembers what it was sent and when, and how many requests were under way. */
function recorder(answer = 0) {
  const seen = new Set<string>();
  const calls: { events: readonly Event[]; at: number }[] = [];
  const state = { underWay: 0, most: 0 };
  const events = async (batch: readonly Event[]): Promise<Receipts> => {
    calls.push({ events: batch, at: performance.now() });
    state.most = Math.max(state.most, ++state.underWay);
    await new Promise((done) => setTimeout(done, answer));
    state.underWay--;
    const duplicates = batch.filter(({ id }) => seen.has(String(id))).length;
    for (const { id } of batch) seen.add(String(id));
    return { accepted: batch.length - duplicates, duplicates, durability: 'always', events: [] };
  };
  return { client: { events } as unknown as RecsysClient, calls, state };
}

const options = { speed: 'max', batch: 10, connections: 1, timed: true } as const;

test('a log of each format gives events with their own ids, or with ids that follow from the rows', async (t) => {
  const dir = await temporary(t);
  const write = async (name: string, text: string) => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };
  const lines = await write(
    'a.jsonl',
    '{"seq":1,"id":"e1","user":"u1","item":"i7","behaviour":"view","time":1700000000000,"value":2,"context":{"page":3}}\n{"user":"u2","item":"i8","time":5}\n{"user":"","item":"i8","time":5}\nnot json\n',
  );
  const context = recordingContext();
  const [own, derived, ...none] = await readLog(lines, config(), context);
  assert.deepEqual(own, {
    id: 'e1',
    user: 'u1',
    item: 'i7',
    behaviour: 'view',
    time: 1.7e12,
    value: 2,
    context: { page: 3 },
  });
  assert.match(derived!.id, /^replay-[0-9a-f]{20}$/);
  assert.deepEqual(none, []);
  assert.match(context.lines.join(), /rows are left out: 1 times user id is empty, 1 times not JSON/);

  const table = 'who,what,when\nu1,i1,3\nu1,i1,3\nu2,i5,1\n';
  const columns = { user: 'who', item: 'what', time: 'when' };
  const asked = config({ columns, timeFormat: 'epoch-s', behaviour: 'buy' });
  const read = () => readLog(join(dir, 'b.csv'), asked, recordingContext());
  await write('b.csv', table);
  const first = await read();
  assert.deepEqual(
    first.map(({ user, time, behaviour }) => [user, time, behaviour]),
    [
      ['u1', 3000, 'buy'],
      ['u1', 3000, 'buy'],
      ['u2', 1000, 'buy'],
    ],
  );
  assert.equal(new Set(first.map(({ id }) => id)).size, 3, 'equal rows are different events');
  await write('b.csv', `${table}u9,i9,9\n`);
  assert.deepEqual((await read()).slice(0, 3), first, 'a log that grew keeps its ids');
  await assert.rejects(readLog(await write('c.csv', 'user,item,time\n,,\n'), config(), recordingContext()), {
    code: 'DATA_EMPTY',
    message: /1 times user id is empty/,
  });
  await assert.rejects(readLog(join(dir, 'b.csv'), config(), recordingContext()), { code: 'COLUMN_MISSING' });
});

test('one connection sends in order of time, several keep the order of each user', async () => {
  const events = Array.from({ length: 95 }, (_, n) => timed(n));
  const alone = recorder();
  const counts = await replay(events, alone.client, options, recordingContext());
  assert.deepEqual([counts.accepted, counts.duplicates, counts.refused], [95, 0, 0]);
  assert.deepEqual(
    alone.calls.flatMap((call) => call.events),
    events,
  );
  assert.deepEqual([alone.calls.length, alone.state.most], [10, 1]);

  const many = recorder(2);
  await replay(events, many.client, { ...options, connections: 3, batch: 4 }, recordingContext());
  assert(many.state.most > 1 && many.state.most <= 3);
  const sent = many.calls.flatMap((call) => call.events as TimedEvent[]);
  assert.equal(sent.length, 95);
  for (const user of ['u0', 'u1', 'u2'])
    assert.deepEqual(
      sent.filter((event) => event.user === user),
      events.filter((event) => event.user === user),
    );
});

test('the clock: due times, and what was sent before is passed over', () => {
  let now = 100;
  const clock = new ReplayClock(5000, 10, () => now);
  assert.deepEqual([clock.until(5000), clock.until(6000)], [0, 100]);
  now = 150;
  assert.equal(clock.until(6000), 50);
  clock.jump(9000);
  assert.deepEqual([clock.until(9000), clock.until(9100)], [0, 10]);
  clock.jump(6000);
  assert.equal(clock.until(9000), 0, 'it never goes back');
  assert.equal(new ReplayClock(0, Number.POSITIVE_INFINITY, () => now).until(1e12), 0);
});

test('a speed keeps the distances; a second run does not wait for what is known', async () => {
  const service = recorder();
  const events = [0, 1, 2, 3, 4].map((n) => timed(n, { time: 1e6 + 100 * n }));
  await replay(events, service.client, { ...options, speed: 2 }, recordingContext());
  const at = service.calls.map((call) => call.at);
  assert.equal(at.length, 5);
  for (let n = 1; n < 5; n++) assert(at[n]! - at[0]! >= 50 * n - 2, `${at[n]! - at[0]!}`);
  const began = performance.now();
  const slow = { ...options, speed: 0.001 };
  const counts = await replay(events, service.client, slow, recordingContext());
  assert.equal(counts.duplicates, 5);
  assert(performance.now() - began < 1000);
});

test('stopped in the middle, then run again: each event is learned once, without times where there are none', async (t) => {
  const { app, service, learner } = await startServer(t);
  const client = clientOf({
    to: await app.listen({ host: '127.0.0.1', port: 0 }),
    ...{ connections: 1, timeout: 5, patience: 5 },
  });
  t.after(() => client.close());
  const events = Array.from({ length: 30 }, (_, n) => timed(n, { time: 50 * n }));
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 300);
  await assert.rejects(replay(events, client, { ...options, speed: 1 }, recordingContext(abort.signal)), {
    code: 'INTERRUPTED',
    message: /stopped after \d+ of 30 events/,
    remedy: /goes on/,
  });
  const counts = await replay(events, client, { ...options, timed: false }, recordingContext());
  assert(counts.accepted > 0 && counts.duplicates > 0, JSON.stringify(counts));
  assert.equal(counts.accepted + counts.duplicates, 30);
  await service.idle();
  assert.deepEqual('updates' in learner && learner.updates.flat().sort(), events.map(({ id }) => id).sort());
});

test('what the service names as wrong is left out with its reason; requests too large are cut', async (t) => {
  const { app, service } = await startServer(t, { requests: { maxEvents: 4 } });
  const client = clientOf({
    to: await app.listen({ host: '127.0.0.1', port: 0 }),
    ...{ connections: 1, timeout: 5 },
  });
  t.after(() => client.close());
  const events = [0, 1, 2, 3, 4, 5, 6].map((n) => timed(n, n % 3 === 2 ? { behaviour: 'vew' } : {}));
  const counts = await replay(events, client, options, recordingContext());
  assert.deepEqual([counts.accepted, counts.refused], [5, 2]);
  assert.deepEqual([...counts.reasons], [['behaviour "vew" is not known; the model knows view, buy', 2]]);
  await service.idle();
  const wrong = events.filter(({ behaviour }) => behaviour === 'vew');
  await assert.rejects(replay(wrong, client, options, recordingContext()), {
    code: 'SERVICE',
    message: /none of the 2 events was taken; most often: behaviour "vew"/,
  });
  await app.close();
  await assert.rejects(replay(events, client, options, recordingContext()), {
    code: 'SERVICE',
    message: /UNREACHABLE/,
  });
});
