import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { RecsysClient } from '../../../src/client/index.js';
import { selectBackend } from '../../../src/compute/select.js';
import { explorationSchema } from '../../../src/online/exploration/schema.js';
import { learningSchema } from '../../../src/online/schema.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { NOW, temporary } from '../fixtures.js';
import { bearing, withKeys } from '../security/fixtures.js';
import { caughtUp, start } from '../serve-fixture.js';
import { ANN, eventOf, filesWith } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const exploration = explorationSchema.parse({ log: true });
const learning = learningSchema.parse({ user: { rate: 0.05 }, weights: { buy: 0 } });

test('everything known of a user, page by page, by the client; and none of it after an erasure', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await start(model, state, { learning, exploration });
  const client = new RecsysClient({ url: running.url, patience: 0 });
  t.after(() => client.close());
  const odd = 'käthe/7 %"ü';
  await client.events([
    { ...eventOf(ANN, 1), value: 2.5, context: { page: 'home' } },
    { ...eventOf('bob', 2) },
    { ...eventOf(ANN, 3), behaviour: 'buy' },
    { ...eventOf(ANN, 4) },
    { ...eventOf(odd, 5) },
    { ...eventOf('u3', 6) },
  ]);
  await caughtUp(running.url);
  for (const user of [odd, 'bob', odd]) await client.recommendations(user);
  const { requestId, weights, measuredWeights, ...known } = await client.user(ANN);
  assert(requestId);
  assert.equal(weights?.length, measuredWeights?.length);
  assert(weights!.some((one) => one !== 0));
  const journal = { first: 1, last: known.journal.last };
  assert(journal.last >= 8);
  assert.deepEqual(known, {
    user: ANN,
    events: [
      {
        seq: 1,
        id: `${ANN}/1`,
        item: 'i12',
        behaviour: 'view',
        time: NOW + 1,
        value: 2.5,
        context: { page: 'home' },
        disposition: 'learned',
      },
      {
        seq: 3,
        id: `${ANN}/3`,
        item: 'i34',
        behaviour: 'buy',
        time: NOW + 3,
        disposition: 'skipped',
        reason: 'weight 0',
      },
      { seq: 4, id: `${ANN}/4`, item: 'i5', behaviour: 'view', time: NOW + 4, disposition: 'learned' },
    ],
    next: null,
    journal,
    history: [
      { item: 'i12', behaviour: 'view' },
      { item: 'i34', behaviour: 'buy' },
      { item: 'i5', behaviour: 'view' },
    ],
    impressions: [],
    nextImpressions: null,
    budget: 2,
    checkpoint: { known: false, attributes: null },
    dataset: null,
  });
  assert.deepEqual((await client.user('u3')).checkpoint, {
    known: true,
    attributes: { tokens: [], numbers: {} },
  });
  const seqs: number[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page = await client.user(ANN, { after, limit: 1 });
    assert(page.events.length <= 1);
    assert.equal(page.history === undefined, after > 0);
    seqs.push(...page.events.map(({ seq }) => seq));
    after = page.next;
  }
  assert.deepEqual(seqs, [1, 3, 4]);
  assert.deepEqual(
    (await client.user(odd)).events.map(({ id }) => id),
    [`${odd}/5`],
  );
  await assert.rejects(client.user(ANN, { limit: 0 }), { status: 400, code: 'REQUEST_INVALID' });

  const { requestId: _, ...erased } = await client.eraseUser(ANN);
  assert.match(await client.metrics(), /recsys_rebuild_due 1\n/);
  assert.deepEqual(erased, {
    user: ANN,
    erased: true,
    events: 3,
    impressions: 0,
    rebuilt: 'scheduled',
    residual: [],
  });
  const none = await client.user(ANN);
  assert.deepEqual(
    [none.events, none.history, none.weights, none.measuredWeights, none.budget],
    [[], [], null, null, 0],
  );
  assert.deepEqual(await filesWith(state, ANN), []);
  const gone = await client.eraseUser(odd);
  assert.deepEqual([gone.events, gone.impressions], [1, 2]);
  assert.deepEqual(await filesWith(state, JSON.stringify(odd).slice(1, -1)), []);
  // The same event once more is a new one.
  assert.equal((await client.event(eventOf(ANN, 1))).accepted, 1);
  assert(!running.lines.some((line) => line.includes(ANN)));
  await running.stop();
  const again = await start(model, state, { learning });
  assert(again.lines.some((line) => /replaying \d+ journal records/.test(line)));
  await again.stop();
});

test('the scope is admin; the audit log has who asked, and not about whom', async (t) => {
  const dir = await temporary(t);
  await writeTinyCheckpoint(join(dir, 'model'));
  const { security, tokens, file, clock } = await withKeys(t);
  clock.now = Date.now();
  const running = await start(join(dir, 'model'), join(dir, 'state'), { security });
  const url = `${running.url}/v1/users/${ANN}`;
  for (const [method, path] of [
    ['GET', url],
    ['GET', `${url}/impressions`],
    ['DELETE', url],
  ] as const)
    for (const [token, status] of [
      [undefined, 401],
      [tokens.read, 403],
      [tokens.write, 403],
      [tokens.admin, 200],
    ] as const) {
      const reply = await fetch(path, { method, headers: token ? bearing(token) : {} });
      assert.equal(reply.status, status, `${method} ${path}`);
    }
  const log = await readFile(join(dirname(file), 'audit.log'), 'utf8');
  const lines = log.trim().split('\n').slice(-2);
  const [told, erased] = lines.map((line) => JSON.parse(line));
  assert.deepEqual([told.action, erased.action, erased.name], ['users.export', 'users.erase', 'admin']);
  assert.match(erased.requestId, /^[0-9a-f-]{36}$/);
  assert(!log.includes(ANN));
  await running.stop();
});

test('without keys only this machine may', async (t) => {
  const dir = await temporary(t);
  await writeTinyCheckpoint(join(dir, 'model'));
  const running = await start(join(dir, 'model'), join(dir, 'state'));
  const { request } = await import('node:http');
  const { port } = new URL(running.url);
  const status = await new Promise((resolve) =>
    request(
      { port, host: '127.0.0.1', method: 'DELETE', path: '/v1/users/a', headers: { host: 'evil.example' } },
      (reply) => resolve(reply.resume().statusCode),
    ).end(),
  );
  assert.equal(status, 403);
  await running.stop();
});

test('whoever an address would resolve to somewhere else is found, and erased', async (t) => {
  const dir = await temporary(t);
  await writeTinyCheckpoint(join(dir, 'model'));
  const running = await start(join(dir, 'model'), join(dir, 'state'));
  const client = new RecsysClient({ url: running.url, patience: 0 });
  t.after(() => client.close());
  for (const user of ['.', '..', '../x', '?', '#']) {
    await client.event(eventOf(user, 1));
    assert.equal((await client.user(user)).events.length, 1, user);
    assert.equal((await client.eraseUser(user)).events, 1, user);
  }
  await running.stop();
});

test('an erasure that the disk does not let be completed is told as such, and completed when it is asked for again', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await start(model, state);
  const client = new RecsysClient({ url: running.url, patience: 0 });
  t.after(() => client.close());
  for (let n = 0; n < 6; n++) await client.event(eventOf(n % 2 ? ANN : 'bob', n));
  // In the way of the segment that is written anew.
  const draft = join(state, 'journal', 'journal-000000000001.log.tmp');
  await mkdir(draft);
  await assert.rejects(client.eraseUser(ANN), { status: 507, code: 'STORAGE', message: /ask again/ });
  await rm(draft, { recursive: true });
  assert.equal((await client.eraseUser(ANN)).events, 3);
  assert.deepEqual(await filesWith(state, ANN), []);
  await running.stop();
});
