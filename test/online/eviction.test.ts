import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { RecsysClient } from '../../src/client/index.js';
import { selectBackend } from '../../src/compute/select.js';
import type { OnlineEvent } from '../../src/online/events.js';
import { learningSchema, retentionSchema } from '../../src/online/schema.js';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { datasetOf } from '../suites/fixtures.js';
import { writeTinyCheckpoint } from './checkpoint-fixture.js';
import { NOW, temporary } from './fixtures.js';
import { bitsOf, type Guarded, killed, startGuarded } from './guard/fixtures.js';
import { caughtUp, start } from './serve-fixture.js';

before(async () => {
  await selectBackend('cpu');
});

const DAY = 24 * 3_600_000;
const retention = { userDays: 7 };
const over = { retention, learning: { batch: 3, user: { rate: 0.05, trend: { rate: 0.1, start: 0.2 } } } };

/** Ten events a day: of three who come daily, and one who comes on that day alone. */
const days = (from: number, to: number): OnlineEvent[] =>
  Array.from({ length: 10 * (to - from) }, (_, i) => {
    const [day, n] = [from + Math.floor(i / 10), i % 10];
    return {
      id: `e${10 * day + n}`,
      user: n === 0 ? `once${day}` : `user${n % 3}`,
      item: `i${((day * 7 + n * 11) % 40) + 1}`,
      behaviour: 'view',
      time: NOW + day * DAY + n,
    };
  });

/** Whether a history is kept; the budget of events is another thing. */
const has = ({ users }: Guarded['service'], user: string) => users.of(user).history.length > 0;

const evictedOf = async ({ metrics }: Guarded, kind: string) =>
  Number(
    new RegExp(`recsys_evicted_total\\{kind="${kind}"\\} (\\d+)`).exec(await metrics.registry.metrics())?.[1],
  );

test('users without an event for so many days are let go of; a snapshot, a kill and a replay come to the same bits', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, state, over);
  const { service, snapshots } = running;
  const send = async (to: typeof service, from: number, until: number) => {
    for (const event of days(from, until)) await to.accept([event]);
    await to.idle();
  };
  await send(service, 0, 9);
  assert.deepEqual([has(service, 'once0'), has(service, 'once3')], [true, true]);
  await snapshots.take();
  await send(service, 9, 15);
  const left = [...Array(15).keys()].filter((day) => has(service, `once${day}`));
  assert(left[0]! > 2 && left[0]! < 9 && left.length === 15 - left[0]!, `${left}`);
  assert.equal(service.users.of('once0').weights, null);
  assert.equal(service.users.of('once0').measuredWeights, null);
  assert.notEqual(service.users.of('user1').weights, null);
  assert.equal(service.users.of('user1').history.length, 45);
  assert.equal(await evictedOf(running, 'history'), left[0]);
  assert.equal(await evictedOf(running, 'weights'), left[0]);
  const bits = await bitsOf(running);

  // From the snapshot of day 9, as after a kill; and from nothing but the journal.
  const others = [
    await killed(state, join(dir, 'killed')),
    await killed(state, join(dir, 'bare'), (path) => !/\/(snapshot|good)$/.test(path)),
  ];
  for (const other of others) {
    const again = await startGuarded(model, other, over);
    assert.deepEqual(await bitsOf(again), bits, other);
    await again.service.close();
  }
  // Who comes again is a new user.
  await service.accept([{ ...days(15, 16)[1]!, user: 'once0' }]);
  await service.idle();
  assert.equal(service.users.of('once0').history.length, 1);

  await snapshots.take();
  const later = await bitsOf(running);
  await service.close();
  const again = await startGuarded(model, state, over);
  assert(again.lines.some((line) => /going on from the snapshot/.test(line)));
  assert.deepEqual(await bitsOf(again), later);
  await send(again.service, 16, 25);
  const end = await bitsOf(again);
  assert.equal(has(again.service, 'once0'), false);
  await again.service.close();
  await rm(join(state, 'snapshot'), { recursive: true });
  const replayed = await startGuarded(model, state, over);
  assert.deepEqual(await bitsOf(replayed), end);
  await replayed.service.close();
});

test('a rollback brings own weights back as they were, and a replay repeats it', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, state, over);
  const { service, snapshots } = running;
  for (const event of days(0, 8)) await service.accept([event]);
  await service.idle();
  await snapshots.take();
  for (const event of days(8, 16)) await service.accept([event]);
  await service.idle();
  assert.equal(service.users.of('once1').weights, null);
  await service.guard.rollback();
  assert.notEqual(service.users.of('once1').weights, null);
  for (const event of days(16, 24)) await service.accept([event]);
  await service.idle();
  assert.equal(service.users.of('once1').weights, null);
  const bits = await bitsOf(running);
  await service.close();
  const bare = await killed(state, join(dir, 'bare'), (path) => !/\/(snapshot|good)$/.test(path));
  const replayed = await startGuarded(model, bare, over);
  assert.deepEqual(await bitsOf(replayed), bits);
  await replayed.service.close();
});

test('an erasure from the snapshot of a compacted journal leaves the times of the others', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const small = { ...over, retention: { ...retention, segmentBytes: 4096, segments: 1 } };
  const { service, snapshots, users } = await startGuarded(model, state, small);
  for (const event of days(0, 9)) await service.accept([event]);
  await service.idle();
  await snapshots.take();
  assert(service.users.records.first > 1);
  await users.erase('user1');
  await service.close();
  const again = await startGuarded(model, state, small);
  assert.equal(has(again.service, 'user1'), false);
  assert.equal(has(again.service, 'once2'), true);
  for (const event of days(9, 16)) await again.service.accept([event]);
  await again.service.idle();
  assert.deepEqual(
    ['once2', 'once14', 'user2'].map((user) => has(again.service, user)),
    [false, true, true],
  );
  await again.service.close();
});

test('users of `data` are let go of as well, and do not come back with a start', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const { catalogue } = await readCheckpoint(model);
  const data = datasetOf(
    catalogue,
    [1, 2].flatMap((user) => [1, 2, 3].map((item) => ({ user, item, time: NOW - item }))),
    'epoch',
  );
  const options = {
    data,
    retention: retentionSchema.parse(retention),
    learning: learningSchema.parse({ learningRate: 0.1, batch: 1 }),
  };
  const known = async (url: string) => {
    const client = new RecsysClient({ url, patience: 0 });
    const lengths: number[] = [];
    for (const user of ['u1', 'u2', 'user1']) lengths.push((await client.state(user)).events);
    client.close();
    return lengths;
  };
  let running = await start(model, state, options);
  assert.deepEqual(await known(running.url), [3, 3, 0]);
  const client = new RecsysClient({ url: running.url, patience: 0 });
  const u2 = (day: number): OnlineEvent => ({ ...days(day, day + 1)[0]!, id: `u2-${day}`, user: 'u2' });
  for (let day = 0; day < 15; day++) await client.events([...days(day, day + 1), u2(day)]);
  await caughtUp(running.url);
  client.close();
  const lengths = await known(running.url);
  assert.deepEqual(lengths, [0, 18, 45]);
  await running.stop();
  running = await start(model, state, options);
  assert(running.lines.some((line) => /going on from the snapshot/.test(line)));
  assert.deepEqual(await known(running.url), lengths);
  await running.stop();
  await rm(join(state, 'snapshot'), { recursive: true });
  running = await start(model, state, options);
  assert.deepEqual(await known(running.url), lengths);
  await running.stop();
});
