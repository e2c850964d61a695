import assert from 'node:assert/strict';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecsysClient } from '../../../src/client/index.js';
import { selectBackend } from '../../../src/compute/select.js';
import { RecsysError } from '../../../src/errors.js';
import { checkpointsSchema } from '../../../src/online/checkpoints/schema.js';
import { clicksSchema } from '../../../src/online/clicks/schema.js';
import { explorationSchema } from '../../../src/online/exploration/schema.js';
import { learningSchema, retentionSchema } from '../../../src/online/schema.js';
import { RecommenderService } from '../../../src/online/service.js';
import type { ServiceOptions } from '../../../src/online/service-options.js';
import { readOnlineState } from '../../../src/online/snapshot.js';
import { readCheckpoint } from '../../../src/storage/checkpoint.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { temporary } from '../fixtures.js';
import { ANN, eventOf, filesWith } from '../privacy/fixtures.js';
import { caughtUp, type Running, start } from '../serve-fixture.js';

before(async () => {
  await selectBackend('cpu');
});

const learning = learningSchema.parse({ learningRate: 0.1, batch: 3, user: { rate: 0.05 } });
const exploration = explorationSchema.parse({ log: true });
const USERS = [ANN, 'bob', 'u3'];

async function rebuilt(client: RecsysClient): Promise<void> {
  while (!/recsys_rebuild_due 0\n/.test(await client.metrics())) await sleep(5);
}

function clientOf(running: Running): RecsysClient {
  return new RecsysClient({ url: running.url, patience: 0 });
}

/** All that a snapshot holds and that is a function of the journal. */
async function stateOf(path: string): Promise<Record<string, unknown>> {
  const checkpoint = await readCheckpoint(path);
  const { optimizerState, introduced, state } = (await readOnlineState(checkpoint))!;
  const { catalogue } = checkpoint;
  return {
    ...{ parameters: checkpoint.tensors, optimizerState, introduced, state },
    ...{ items: catalogue.items, trained: checkpoint.trainedEvents },
  };
}

/** What the next start makes of a journal, from the checkpoint. */
async function replayed(model: string, state: string, to: string): Promise<Record<string, unknown>> {
  await cp(join(state, 'journal'), join(to, 'journal'), { recursive: true });
  await (await start(model, to, { learning })).stop();
  return stateOf(join(to, 'snapshot'));
}

test('while events and requests go on, the service becomes what a restart would have made of it, bit for bit', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await start(model, state, { learning, exploration, rebuildAfter: 1 });
  const client = clientOf(running);
  t.after(() => client.close());
  // Of new items the user's are the first: those of others get other rows without them.
  for (let n = 0; n < 60; n++)
    await client.event(eventOf(USERS[n % 3]!, n, n % 3 ? undefined : 41 + (n % 5)));
  for (let n = 60; n < 70; n++) await client.event(eventOf('bob', n, 44 + (n % 4)));
  await caughtUp(running.url);
  let going = true;
  let sent = 0;
  const traffic = (async () => {
    for (; going; sent++) {
      const { accepted } = await client.event(eventOf(sent % 4 ? 'bob' : 'u3', 1000 + sent));
      assert.equal(accepted, 1);
      const { items } = await client.recommendations('bob', { includeSeen: true });
      assert.equal(items.length, 10);
      assert.equal(await client.ready(), true);
    }
  })();
  const erased = await client.eraseUser(ANN);
  assert.equal(erased.rebuilt, 'scheduled');
  await rebuilt(client);
  const after = sent;
  while (sent < after + 20) await sleep(1);
  going = false;
  await traffic;
  await client.event(eventOf(ANN, 5000));
  await caughtUp(running.url);
  const known = await client.user(ANN);
  assert.deepEqual([known.events.length, known.history?.length], [1, 1]);
  assert.equal((await client.user('bob', { limit: 10_000 })).events.length, 30 + sent - Math.ceil(sent / 4));
  client.close();
  const { metrics } = await running.stop();
  assert(metrics.learned! > 0);
  assert.equal((await readdir(state)).includes('rebuilt'), false);
  assert(running.lines.some((line) => /info: shared weights are rebuilt/.test(line)));
  assert.deepEqual(
    running.lines.filter((line) => line.startsWith('warn')),
    [],
  );
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed(model, state, join(dir, 'twin')));
  // From its snapshot.
  const again = await start(model, state, { learning });
  assert(again.lines.some((line) => /going on from the snapshot/.test(line)));
  await again.stop();
});

test('an erasure while another is rebuilt: what was begun is given up, and of neither anything is left', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await start(model, state, { learning, rebuildAfter: 0 });
  const client = clientOf(running);
  t.after(() => client.close());
  for (let n = 0; n < 90; n++) await client.event(eventOf(USERS[n % 3]!, n));
  await caughtUp(running.url);
  await client.eraseUser(ANN);
  await sleep(20);
  const [second, third] = await Promise.all([client.eraseUser('bob'), client.eraseUser(ANN)]);
  assert.deepEqual([second.events, third.events], [30, 0]);
  await rebuilt(client);
  for (const user of [ANN, 'bob/']) assert.deepEqual(await filesWith(state, user), []);
  await client.event(eventOf('bob', 100));
  await caughtUp(running.url);
  await running.stop();
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed(model, state, join(dir, 'twin')));
});

test('what tells of clicks afterwards is the service that took over: without the user, and learning', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const clicks = clicksSchema.parse({ enabled: true, positive: ['buy'], negative: ['view'], bits: 12 });
  const running = await start(model, state, { learning, clicks, rebuildAfter: 0 });
  const client = clientOf(running);
  t.after(() => client.close());
  const chance = async (user: string) => (await client.clicks(user, ['i7'])).items[0]!.probability;
  const fresh = await chance(ANN);
  for (let n = 0; n < 9; n++) await client.event({ ...eventOf(ANN, n, 7), behaviour: 'buy' });
  await caughtUp(running.url);
  assert((await chance(ANN)) > fresh);
  await client.eraseUser(ANN);
  await rebuilt(client);
  assert.equal(await chance(ANN), fresh, 'what was learned of the user is gone');
  await client.event(eventOf('bob', 1, 7));
  await caughtUp(running.url);
  assert((await chance('bob')) < fresh, 'what comes is learned');
  await running.stop();
});

test('a stop ends a rebuild, and the next start makes up for it; what a kill left of one is removed', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await start(model, state, { learning, rebuildAfter: 0 });
  const client = clientOf(running);
  t.after(() => client.close());
  for (let n = 0; n < 60; n++) await client.event(eventOf(USERS[n % 3]!, n));
  await client.eraseUser(ANN);
  await running.stop();
  await cp(model, join(state, 'rebuilt'), { recursive: true });
  const again = await start(model, state, { learning });
  assert.equal((await readdir(state)).includes('rebuilt'), false);
  await again.stop();
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed(model, state, join(dir, 'twin')));
});

test('where segments were deleted it goes on from the snapshot that has lost the user', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const retention = retentionSchema.parse({ segmentBytes: 4096, segments: 1 });
  const first = await start(model, state, { learning, retention });
  const feed = clientOf(first);
  for (let n = 0; n < 90; n++) await feed.event(eventOf(USERS[n % 3]!, n));
  feed.close();
  await first.stop();
  const running = await start(model, state, { learning, retention, rebuildAfter: 0 });
  const client = clientOf(running);
  t.after(() => client.close());
  for (let n = 90; n < 100; n++) await client.event(eventOf(USERS[n % 3]!, n));
  const { residual } = await client.eraseUser(ANN);
  assert.deepEqual(
    residual.map(({ where }) => where),
    ['weights'],
  );
  await rebuilt(client);
  assert.equal((await client.user(ANN)).history?.length, 0);
  assert.equal((await client.user('bob')).history?.length, 33);
  await running.stop();
  assert.deepEqual(await filesWith(state, ANN), []);
  await rm(join(state, 'good'), { recursive: true, force: true });
  const again = await start(model, state, { learning, retention });
  assert(again.lines.some((line) => /going on from the snapshot/.test(line)));
  await again.stop();
});

/** A service that has erased a user, and whose rebuild cannot open the service of that number. */
async function failing(t: TestContext, number: number) {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const real = RecommenderService.start;
  let opened = 0;
  t.mock.method(RecommenderService, 'start', (options: ServiceOptions) =>
    ++opened === number ? Promise.reject(new RecsysError('DISK', 'gone')) : real(options),
  );
  const running = await start(model, state, { learning, rebuildAfter: 0 });
  const client = clientOf(running);
  t.after(() => client.close());
  for (let n = 0; n < 9; n++) await client.event(eventOf(USERS[n % 3]!, n));
  await client.eraseUser(ANN);
  return { model, dir, state, running, client };
}

test('a replay in the background that fails is told, and the service goes on as it is', async (t) => {
  const { model, dir, state, running, client } = await failing(t, 2);
  while (!running.lines.some((line) => /could not be rebuilt.*gone/.test(line))) await sleep(5);
  assert.equal((await client.event(eventOf('bob', 100))).accepted, 1);
  assert.match(await client.metrics(), /recsys_rebuild_due 1\n/);
  await running.stop();
  await (await start(model, state, { learning })).stop();
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed(model, state, join(dir, 'twin')));
});

test('where the journal was let go of and nobody could take it up, the service ends with the error; all is on the disk', async (t) => {
  const { model, state, running } = await failing(t, 3);
  await assert.rejects(running.done, { code: 'DISK', message: /gone/ });
  const again = await start(model, state, { learning });
  const client = clientOf(again);
  t.after(() => client.close());
  assert.equal((await client.user('bob')).events.length, 3);
  await again.stop();
});

test('an erasure that could not be completed is not undone by a rebuild, and is followed by one once it is', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  await writeTinyCheckpoint(join(dir, 'other'), 2);
  const checkpoints = checkpointsSchema.parse({ directory: dir });
  const running = await start(model, state, { learning, checkpoints, rebuildAfter: 1 });
  const client = clientOf(running);
  t.after(() => client.close());
  for (let n = 0; n < 30; n++) await client.event(eventOf(USERS[n % 3]!, n));
  await caughtUp(running.url);
  // In the way of the segment that is written anew.
  const draft = join(state, 'journal', 'journal-000000000001.log.tmp');
  await mkdir(draft);
  await assert.rejects(client.eraseUser(ANN), { status: 507 });
  const told = (): boolean => running.lines.some((line) => /an erasure is not completed/.test(line));
  while (!told()) await sleep(5);
  assert.deepEqual((await client.user(ANN)).history ?? [], []);
  await assert.rejects(client.takeCheckpoint({ path: 'other' }), {
    code: 'CHECKPOINT_REFUSED',
    message: /not completed/,
  });
  assert.match(await client.metrics(), /recsys_rebuild_due 1\n/);
  await rm(draft, { recursive: true });
  // Another's completes both.
  assert.equal((await client.eraseUser('bob')).events, 10);
  await rebuilt(client);
  assert.deepEqual((await client.user(ANN)).events, []);
  client.close();
  await running.stop();
  for (const user of [ANN, 'bob']) assert.deepEqual(await filesWith(state, user), []);
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed(model, state, join(dir, 'twin')));
});
