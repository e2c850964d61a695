import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { RecsysClient } from '../../../src/client/index.js';
import type { Alert } from '../../../src/online/guard/alerts.js';
import { CountingLearner, catalogue, event, post, startServer } from '../fixtures.js';
import { bearing, withKeys } from '../security/fixtures.js';

const URL = '/v1/admin/learning';
const json = { 'content-type': 'application/json' };

test('pause and resume over HTTP, by the client; what is skipped meanwhile is not learned later', async (t) => {
  const { app, service, learner } = await startServer(t);
  const client = new RecsysClient({ url: await app.listen({ host: '127.0.0.1', port: 0 }), patience: 0 });
  t.after(() => client.close());
  const { requestId, ...first } = await client.learning();
  assert(requestId);
  assert.deepEqual(first, { state: 'learning', learned: 0, rollbacks: 0, good: null, alerts: [] });
  await client.event(event('a', 'i1'));
  await service.idle();
  const paused = await client.setLearning('pause');
  assert.deepEqual([paused.state, paused.reason, paused.since], ['paused', 'paused by an operator', 4]);
  await client.event(event('b', 'i2'));
  await service.idle();
  assert.equal((await client.setLearning('resume')).state, 'learning');
  await client.event(event('c', 'i3'));
  await service.idle();
  assert.deepEqual((learner as CountingLearner).updates, [['a'], ['c']]);
  await assert.rejects(client.setLearning('rollback'), { status: 409, code: 'CONFLICT' });
  const wrong = await post(app, URL, { action: 'stop', now: true });
  assert.equal(wrong.status, 400);
  assert.deepEqual(
    wrong.body.errors.map(({ field }: { field: string }) => field),
    ['action', 'now'],
  );
});

test('the scope is admin, every action is in the audit log first, and the log names the key', async (t) => {
  const { security, tokens, file } = await withKeys(t);
  const { app, service } = await startServer(t, { security });
  for (const method of ['GET', 'POST'] as const)
    for (const [token, status] of [
      [undefined, 401],
      [tokens.read, 403],
      [tokens.write, 403],
    ] as const) {
      const headers = { ...json, ...(token ? bearing(token) : {}) };
      const reply = await app.inject({
        method,
        url: URL,
        headers,
        ...(method === 'POST' ? { payload: '{}' } : {}),
      });
      assert.equal(reply.statusCode, status);
    }
  const act = (action: string) =>
    app.inject({
      method: 'POST',
      url: URL,
      headers: { ...json, ...bearing(tokens.admin) },
      payload: { action },
    });
  assert.equal((await act('pause')).statusCode, 200);
  const log = join(dirname(file), 'audit.log');
  const lines = async () =>
    (await readFile(log, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const { action, key, name } = (await lines()).at(-1);
  assert.deepEqual([action, key, name], ['learning.pause', tokens.admin.slice(4, 16), 'admin']);
  // What cannot be recorded is not done.
  await rm(log);
  await mkdir(log);
  const refused = await act('resume');
  assert.deepEqual([refused.statusCode, refused.json().code], [507, 'STORAGE']);
  assert.equal(service.guard.view.state, 'paused');
});

test('without keys this machine alone may, and not a page that reaches it by another name', async (t) => {
  const { app } = await startServer(t);
  const asked = (over: object) =>
    app.inject({ method: 'POST', url: URL, headers: json, payload: { action: 'pause' }, ...over });
  for (const over of [
    { remoteAddress: '10.0.0.7' },
    { headers: { ...json, host: 'evil.example:8080' } },
    { headers: { ...json, host: '127.0.0.1.evil.example' } },
  ])
    assert.equal((await asked(over)).statusCode, 403, JSON.stringify(over));
  for (const over of [
    {},
    { remoteAddress: '::1' },
    { remoteAddress: '::ffff:127.0.0.1', headers: { ...json, host: '[::1]:8080' } },
    { headers: { ...json, host: '127.0.0.1:8080' } },
  ])
    assert.equal((await asked(over)).statusCode, 200, JSON.stringify(over));
});

test('alerts are told once each and listed, with ids of events and never more than 100', async (t) => {
  const told: Alert[] = [];
  const learner = new CountingLearner(catalogue(3, 20));
  learner.learn = async () => {
    throw new Error('a bug');
  };
  const { app, service } = await startServer(t, { learner, alerted: (alert) => told.push(alert) });
  for (let n = 0; n < 105; n++) {
    await service.accept([{ id: `e${n}`, user: 'a', item: 'i1', behaviour: 'view', time: n }]);
    await service.idle();
    if (n < 104) await service.guard.resume();
  }
  assert.deepEqual(
    told.map(({ number }) => number),
    Array.from({ length: 105 }, (_, n) => n + 1),
  );
  const { alerts, state, reason } = (await app.inject({ url: URL })).json();
  assert.deepEqual([state, reason, alerts.length, alerts[0].number], ['paused', 'learning failed', 100, 6]);
  assert.deepEqual([alerts[99].count, alerts[99].events.length, alerts[99].events[99]], [105, 100, 'e104']);
});
