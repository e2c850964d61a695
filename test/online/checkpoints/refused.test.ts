import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecsysClient } from '../../../src/client/index.js';
import { selectBackend } from '../../../src/compute/select.js';
import { RecsysError } from '../../../src/errors.js';
import { checkpointsSchema } from '../../../src/online/checkpoints/schema.js';
import { guardSchema } from '../../../src/online/guard/schema.js';
import { Journal } from '../../../src/online/journal.js';
import { retentionSchema } from '../../../src/online/schema.js';
import { RecommenderService } from '../../../src/online/service.js';
import { readCheckpoint, writeCheckpoint } from '../../../src/storage/checkpoint.js';
import { ANN, eventOf, filesWith } from '../privacy/fixtures.js';
import { withKeys } from '../security/fixtures.js';
import { caughtUp } from '../serve-fixture.js';
import { shop, stateOf } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const refusal = (message: RegExp) => ({ status: 409, code: 'CHECKPOINT_REFUSED', message });

test('where no folder is configured, a path elsewhere, what is no checkpoint or another shop’s: refused with what to do', async (t) => {
  const { serve, directory, model } = await shop(t);
  const closed = await serve({ checkpoints: checkpointsSchema.parse({}) });
  await assert.rejects(closed.client.takeCheckpoint({ path: 'a' }), refusal(/checkpoints\.directory/));
  await closed.running.stop();
  const { running, client } = await serve();
  await symlink(model, join(directory, 'link'));
  await symlink('around', join(directory, 'around'));
  await mkdir(join(directory, 'empty'));
  for (const [path, message] of [
    ['../model', /not in the folder/],
    [model, /not in the folder/],
    ['link', /not in the folder/],
    ['.', /not in the folder/],
    ['nowhere', /FILE_MISSING/],
    ['a\0', /FILE_MISSING/],
    ['a'.repeat(300), /FILE_MISSING/],
    ['around', /FILE_MISSING/],
    ['empty', /no checkpoint|manifest\.json/],
  ] as const)
    await assert.rejects(client.takeCheckpoint({ path }), refusal(message), path);
  const { manifest, ...a } = await readCheckpoint(join(directory, 'a'));
  const rewritten = async (name: string, catalogue: object, tensors = a.tensors) => {
    const into = join(directory, name);
    await mkdir(into);
    await writeCheckpoint(into, { ...a, manifest, tensors, catalogue: { ...a.catalogue, ...catalogue } });
    return client.takeCheckpoint({ path: name });
  };
  const buys = { behaviours: ['buy', 'sell'] };
  await assert.rejects(rewritten('sells', buys), refusal(/does not know the behaviours view/));
  const others = { items: a.catalogue.items.map((item) => item && `other-${item}`) };
  await assert.rejects(rewritten('others', others), refusal(/none of the items/));
  await assert.rejects(rewritten('bare', {}, new Map()), refusal(/CHECKPOINT_INCOMPATIBLE: .*tensor/s));
  await writeFile(join(directory, 'b', 'model.safetensors'), 'no weights');
  await assert.rejects(client.takeCheckpoint({ path: 'b' }), refusal(/CHECKPOINT_DAMAGED/));
  assert.equal((await client.checkpoint()).since, 0);
  const same = await client.takeCheckpoint({ path: join(directory, 'a'), ...{ force: true } });
  assert.equal(same.swapped, true);
  const { swapped, reason } = await client.takeCheckpoint({ path: 'a', force: true });
  assert.deepEqual([swapped, reason], [false, 'served already']);
  await running.stop();
});

test('the comparison is told; one that is worse by more than the margin is not taken up, unless it must be', async (t) => {
  const { serve } = await shop(t);
  const { running, client } = await serve({ guard: guardSchema.parse({ userBudget: { events: 0 } }) });
  // Each of many users goes from i1 to i2: what is served learns that soon, and `a` knows nothing of it.
  for (let n = 0; n < 400; n++) {
    await client.event(eventOf(`w${n}`, 0, 1));
    await client.event(eventOf(`w${n}`, 1, 2));
  }
  await caughtUp(running.url);
  const only = await client.takeCheckpoint({ path: 'a', swap: false });
  assert.deepEqual([only.swapped, only.reason, only.since], [false, 'not asked for', 0]);
  const { comparison } = only;
  assert.equal(comparison!.trained, 0);
  assert.equal(comparison!.events, 800);
  assert(comparison!.difference.high! < 0, JSON.stringify(comparison));
  const worse = await client.takeCheckpoint({ path: 'a' });
  assert.deepEqual([worse.swapped, worse.reason], [false, 'worse']);
  const forced = await client.takeCheckpoint({ path: 'a', force: true });
  assert.deepEqual([forced.swapped, forced.reason], [true, undefined]);
  await running.stop();
  // Nothing has been ranked since the start: nothing speaks against it.
  const again = await serve({
    checkpoints: checkpointsSchema.parse({ directory: dirname(forced.path), margin: 1 }),
  });
  const unknown = await again.client.takeCheckpoint({ path: 'b' });
  assert.deepEqual(
    [unknown.swapped, unknown.comparison!.events, unknown.comparison!.difference.mean],
    [true, 0, null],
  );
  await again.running.stop();
});

test('a journal whose beginning was deleted cannot give another checkpoint its histories', async (t) => {
  const { serve } = await shop(t);
  const retention = retentionSchema.parse({ segmentBytes: 4096, segments: 1 });
  const first = await serve({ retention });
  for (let n = 0; n < 90; n++) await first.client.event(eventOf('bob', n));
  await first.running.stop();
  const { running, client } = await serve({ retention });
  await assert.rejects(client.takeCheckpoint({ path: 'a' }), refusal(/journal begins with record \d+/));
  assert.equal((await client.event(eventOf('bob', 100))).accepted, 1);
  await running.stop();
});

test('a record that cannot be written changes nothing: what was served goes on, with every event', async (t) => {
  const { serve, state, replayed } = await shop(t);
  const { running, client } = await serve();
  for (let n = 0; n < 9; n++) await client.event(eventOf('bob', n));
  const { version } = await client.checkpoint();
  const append = Journal.prototype.append;
  t.mock.method(Journal.prototype, 'append', function (this: Journal, records: readonly unknown[]) {
    const names = records.some((one) => (one as { type: string }).type === 'checkpoint');
    return names ? Promise.reject(new RecsysError('DISK', 'full')) : append.call(this, records);
  });
  await assert.rejects(client.takeCheckpoint({ path: 'a', force: true }), { status: 507, code: 'STORAGE' });
  assert.equal((await client.checkpoint()).version, version);
  assert.equal((await client.event(eventOf('bob', 100))).accepted, 1);
  assert.equal((await client.user('bob')).history?.length, 10);
  await running.stop();
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed('twin'));
});

test('one that cannot be opened once the journal names it ends the service; the next start serves it', async (t) => {
  const { serve } = await shop(t);
  const { running, client } = await serve();
  await client.event(eventOf('bob', 1));
  const real = RecommenderService.start;
  let opened = 0;
  const mock = t.mock.method(RecommenderService, 'start', (options: Parameters<typeof real>[0]) =>
    ++opened === 2 ? Promise.reject(new RecsysError('DISK', 'gone')) : real(options),
  );
  const asked = client.takeCheckpoint({ path: 'a', force: true }).catch(() => undefined);
  await assert.rejects(running.done, { code: 'DISK', message: /gone/ });
  await asked;
  mock.mock.restore();
  const again = await serve();
  assert.match((await again.client.checkpoint()).path, /checkpoints\/a$/);
  assert.equal((await again.client.user('bob')).events.length, 1);
  await again.running.stop();
});

test('an erasure reaches what is kept of the checkpoint before, and what is being made ready', async (t) => {
  const { serve, state, replayed } = await shop(t);
  const { running, client } = await serve({ rebuildAfter: 0 });
  const users = [ANN, 'bob', 'u3'];
  for (let n = 0; n < 60; n++) await client.event(eventOf(users[n % 3]!, n));
  await client.takeCheckpoint({ path: 'a', force: true });
  for (let n = 60; n < 90; n++) await client.event(eventOf(users[n % 3]!, n));
  assert((await filesWith(state, ANN)).some((file) => file.startsWith('before/')));
  const [swap] = await Promise.allSettled([
    client.takeCheckpoint({ path: 'b', force: true }),
    client.eraseUser(ANN),
  ]);
  while (!/recsys_rebuild_due 0\n/.test(await client.metrics())) await sleep(5);
  assert.deepEqual(await filesWith(state, ANN), []);
  const { path } = await client.checkpoint();
  assert.match(path, swap.status === 'fulfilled' ? /b$/ : /a$/);
  // What came before is learned again without them.
  const back = await client.rollBackCheckpoint();
  assert.notEqual(back.path, path);
  await client.event(eventOf('bob', 100));
  await caughtUp(running.url);
  await running.stop();
  assert.deepEqual(await filesWith(state, ANN), []);
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed('twin'));
});

test('a pause by an operator outlives a swap and a rollback; both need the scope admin, and are in the audit log', async (t) => {
  const { serve } = await shop(t);
  const { security, tokens, file } = await withKeys(t);
  const { running } = await serve({ security });
  const of = (apiKey: string) => {
    const client = new RecsysClient({ url: running.url, patience: 0, apiKey });
    t.after(() => client.close());
    return client;
  };
  for (const token of [tokens.read, tokens.write]) {
    await assert.rejects(of(token).checkpoint(), { status: 403 });
    await assert.rejects(of(token).takeCheckpoint({ path: 'a' }), { status: 403 });
    await assert.rejects(of(token).rollBackCheckpoint(), { status: 403 });
  }
  const client = of(tokens.admin);
  await client.setLearning('pause');
  await client.takeCheckpoint({ path: 'a', force: true });
  assert.equal((await client.learning()).state, 'paused');
  await client.rollBackCheckpoint();
  assert.equal((await client.learning()).state, 'paused');
  assert.equal((await client.setLearning('resume')).state, 'learning');
  const log = (await readFile(join(dirname(file), 'audit.log'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    log.slice(-4).map(({ action, path }) => [action, path]),
    [
      ['learning.pause', undefined],
      ['checkpoint.take', 'a'],
      ['checkpoint.rollback', undefined],
      ['learning.resume', undefined],
    ],
  );
  await running.stop();
});

test('asked twice at once it is taken up once; a stop meanwhile leaves a state that the journal gives', async (t) => {
  const { serve, state, replayed } = await shop(t);
  const { running, client } = await serve();
  for (let n = 0; n < 60; n++) await client.event(eventOf('bob', n));
  const take = () => client.takeCheckpoint({ path: 'a', force: true });
  const [one, two] = await Promise.all([take(), take()]);
  assert.deepEqual(
    [one.swapped, two.swapped, two.reason, two.since],
    [true, false, 'served already', one.since],
  );
  const asked = client.takeCheckpoint({ path: 'b', force: true }).then(
    ({ swapped }) => swapped,
    ({ code }) => code,
  );
  await sleep(20);
  await running.stop();
  const how = await asked;
  assert([true, 'CHECKPOINT_REFUSED', 'NOT_READY'].includes(how), String(how));
  assert.deepEqual(await stateOf(join(state, 'snapshot')), await replayed('twin'));
});

test('without keys a page that reaches this machine by another name may not', async (t) => {
  const { serve } = await shop(t);
  const { running, client } = await serve();
  const { port } = new URL(running.url);
  for (const [method, path] of [
    ['GET', '/v1/admin/checkpoint'],
    ['POST', '/v1/admin/checkpoint'],
    ['POST', '/v1/admin/checkpoint/rollback'],
  ]) {
    const status = await new Promise((resolve, reject) => {
      const headers = { host: `evil.example:${port}`, 'content-type': 'application/json' };
      const sent = request({ port, host: '127.0.0.1', method, path, headers }, (reply) => {
        reply.resume();
        resolve(reply.statusCode);
      });
      sent.once('error', reject);
      sent.end(method === 'GET' ? undefined : '{"path": "a"}');
    });
    assert.equal(status, 403, `${method} ${path}`);
  }
  assert.equal((await client.checkpoint()).since, 0);
  await running.stop();
});
