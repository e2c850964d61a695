import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { RecsysClient, ServiceError } from '../../src/client/index.js';
import { event, startServer } from '../online/fixtures.js';
import { json, misbehaving, RECEIPTS, refused } from './misbehaving.js';

test('every route of a real service', async (t) => {
  const { app, service } = await startServer(t);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const client = new RecsysClient({ url: `${url}/` });
  t.after(() => client.close());
  assert.deepEqual([await client.health(), await client.ready()], [true, true]);
  const one = await client.event({ ...event('a', 'i9'), time: '2026-05-04T10:00:00Z', value: 2 });
  assert.deepEqual(
    [one.accepted, one.durability, one.events[0]],
    [1, 'always', { id: 'a', status: 'accepted', seq: 1 }],
  );
  const both = await client.events([event('a', 'i9'), event(7, 'i3')]);
  assert.deepEqual([both.accepted, both.duplicates, both.events[1]?.id], [1, 1, '7']);
  await service.idle();
  const list = await client.recommendations('new', { k: 3, exclude: ['i1', 'i2'], includeSeen: true });
  assert.deepEqual([list.user, list.items.length, list.fallback], ['new', 3, false]);
  assert(list.items.every(({ item }) => !['i1', 'i2'].includes(item)));
  const session = await client.recommend({ history: ['i9', { item: 'i2', behaviour: 'buy' }], k: 2 });
  assert.deepEqual([session.user, session.items.length, session.modelVersion], [undefined, 2, 'base+2']);
  const asked = await client.elicitation('nobody', { k: 2, asked: ['i1'] });
  assert.deepEqual([asked.strategy, asked.items.map(({ item }) => item)], ['popular', ['i2', 'i3']]);
  assert.match(await client.metrics(), /recsys_events_received_total\{result="accepted"\} 2/);
  await assert.rejects(client.clicks('new', ['i1']), { status: 404, code: 'NOT_FOUND' });
  // The counting learner has no states: the service's own words are told.
  await assert.rejects(client.state('new'), { name: 'ServiceError', status: 400, code: 'REQUEST_INVALID' });
});

test('what a service refuses: code, message, remedy, defects, request id; not tried again', async (t) => {
  const { app } = await startServer(t);
  const client = new RecsysClient({ url: await app.listen({ host: '127.0.0.1', port: 0 }) });
  t.after(() => client.close());
  await assert.rejects(
    client.events([event('a', 'i1'), { ...event('b', 'i2'), behaviour: 'vew' }]),
    (error) => {
      assert(error instanceof ServiceError && !error.passing);
      assert.deepEqual([error.status, error.code], [400, 'REQUEST_INVALID']);
      assert.match(error.message, /event 1: behaviour "vew" is not known/);
      assert.deepEqual([error.defects[0]?.index, error.defects[0]?.field], [1, 'behaviour']);
      assert.match(error.remedy, /\/docs/);
      assert.match(error.requestId!, /^[0-9a-f-]{36}$/);
      return true;
    },
  );
});

test('429, 503, 507 and a broken connection are tried again, after a backoff that grows and not before Retry-After', async (t) => {
  const { url, seen } = await misbehaving(
    t,
    refused(503, 'LEARNER_BEHIND', { 'retry-after': '1' }),
    refused(429, 'TOO_MANY'),
    (response) => response.destroy(),
    refused(507, 'STORAGE'),
    (response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{"accepted"');
      setTimeout(() => response.destroy(), 5);
    },
    json(200, RECEIPTS),
  );
  const retried: string[] = [];
  const client = new RecsysClient({
    url,
    apiKey: 'secret',
    firstDelay: 20,
    longestDelay: 60,
    onRetry: ({ code }, delay) =>
      retried.push(`${code} ${delay >= 1000 ? 'long' : delay <= 60 ? 'short' : delay}`),
  });
  t.after(() => client.close());
  assert.equal((await client.event(event('a', 'i1'))).accepted, 1);
  assert.deepEqual(retried, [
    'LEARNER_BEHIND long',
    'TOO_MANY short',
    'UNREACHABLE short',
    'STORAGE short',
    'UNREACHABLE short',
  ]);
  assert.equal(seen.requests.length, 6);
  assert(seen.requests[1]!.at - seen.requests[0]!.at >= 995);
  for (const { request } of seen.requests) assert.equal(request.headers.authorization, 'Bearer secret');
});

test('patience ends: the last failure is told; a wait beyond it is not begun', async (t) => {
  const { url, seen } = await misbehaving(t, refused(503, 'NOT_READY', { 'retry-after': '600' }));
  const client = new RecsysClient({ url, patience: 5000 });
  t.after(() => client.close());
  await assert.rejects(client.event(event('a', 'i1')), {
    status: 503,
    code: 'NOT_READY',
    retryAfter: 600_000,
  });
  assert.equal(seen.requests.length, 1);
  assert.equal(await client.ready(), false);
  const busy = await misbehaving(t, refused(503, 'NOT_READY'));
  const eager = new RecsysClient({ url: busy.url, patience: 200, firstDelay: 10, longestDelay: 20 });
  t.after(() => eager.close());
  await assert.rejects(eager.event(event('a', 'i1')), { code: 'NOT_READY' });
  assert(busy.seen.requests.length > 5, String(busy.seen.requests.length));
});

test('timeouts, before the answer and within it; an address where nobody is', async (t) => {
  const { url } = await misbehaving(
    t,
    () => undefined,
    (response) => void response.writeHead(200, { 'content-length': '100' }).write('{'),
  );
  const client = new RecsysClient({ url, timeout: 50, patience: 0 });
  t.after(() => client.close());
  for (let n = 0; n < 2; n++)
    await assert.rejects(client.recommendations('a'), {
      code: 'TIMEOUT',
      status: 0,
      message: 'no answer within 50 ms',
    });
  const port = await new Promise<number>((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' ? address!.port : 0));
    });
  });
  const nobody = new RecsysClient({ url: `http://127.0.0.1:${port}`, patience: 0 });
  await assert.rejects(nobody.recommendations('a'), {
    code: 'UNREACHABLE',
    message: /127\.0\.0\.1.*ECONNREFUSED/,
  });
  assert.deepEqual([await nobody.ready(), await nobody.health()], [false, false]);
});

test('an answer of something else than recsys', async (t) => {
  const { url } = await misbehaving(
    t,
    json(200, { hello: 'world' }),
    (response) => void response.writeHead(502).end('<html>'),
  );
  const client = new RecsysClient({ url });
  t.after(() => client.close());
  await assert.rejects(client.event(event('a', 'i1')), { code: 'REPLY_INVALID', message: /accepted/ });
  await assert.rejects(client.event(event('a', 'i1')), { code: 'HTTP_502', status: 502 });
});

test('connections are bounded and kept', async (t) => {
  const { url, seen } = await misbehaving(
    t,
    (response) => void setTimeout(() => json(200, RECEIPTS)(response, undefined!), 5),
  );
  const client = new RecsysClient({ url, connections: 3 });
  t.after(() => client.close());
  await Promise.all(Array.from({ length: 30 }, (_, n) => client.event(event(n, 'i1'))));
  await client.event(event('last', 'i1'));
  assert.deepEqual([seen.requests.length, seen.sockets, seen.most], [31, 3, 3]);
});

test('a signal ends a call while it is answered and while it waits for another try', async (t) => {
  const { url } = await misbehaving(t, () => undefined, refused(503, 'NOT_READY'));
  const client = new RecsysClient({ url, firstDelay: 10_000, longestDelay: 10_000 });
  t.after(() => client.close());
  for (let n = 0; n < 2; n++) {
    const abort = new AbortController();
    const call = client.event(event('a', 'i1'), { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 50);
    await assert.rejects(call, { message: 'enough' });
  }
});
