import assert from 'node:assert/strict';
import { test } from 'node:test';
import fastify, { type InjectOptions } from 'fastify';
import { installAccess } from '../../../src/online/http/access.js';
import { installErrors } from '../../../src/online/http/errors.js';
import { usersOf } from '../../../src/online/http/users.js';
import { ServiceMetrics } from '../../../src/online/metrics.js';
import { revokeKey } from '../../../src/online/security/administration.js';
import { event, NOW, startServer } from '../fixtures.js';
import { bearing, limits, withKeys } from './fixtures.js';

const json = { 'content-type': 'application/json' };
const REQUESTS = {
  list: { method: 'GET', url: '/v1/recommendations?user=a' },
  session: { method: 'POST', url: '/v1/recommendations', headers: json, payload: '{"user":"a"}' },
  state: { method: 'HEAD', url: '/v1/state?user=a' },
  clicks: { method: 'POST', url: '/v1/clicks', headers: json, payload: '{"user":"a","items":["i1"]}' },
  questions: { method: 'GET', url: '/v1/elicitation?user=a' },
  event: { method: 'POST', url: '/v1/events', headers: json, payload: JSON.stringify(event('e', 'i1')) },
  metrics: { method: 'GET', url: '/metrics' },
  health: { method: 'GET', url: '/healthz' },
  ready: { method: 'GET', url: '/readyz' },
  docs: { method: 'GET', url: '/docs' },
  openapi: { method: 'GET', url: '/docs/json' },
  script: { method: 'GET', url: '/docs/static/swagger-ui-bundle.js' },
} as const satisfies Record<string, InjectOptions>;

test('what each scope may do, and what needs none', async (t) => {
  const { security, tokens } = await withKeys(t);
  const { app, service, metrics } = await startServer(t, { security });
  // The counting learner has no states and the service no click model: past the door, they are answered 400 and 404.
  const who = { none: 401, read: 200, write: 403, admin: 403 };
  const open = { none: 200, read: 200, write: 200, admin: 200 };
  const expected: Record<keyof typeof REQUESTS, Record<string, number>> = {
    list: who,
    session: who,
    state: { ...who, read: 400 },
    clicks: { ...who, read: 404 },
    questions: who,
    event: { none: 401, read: 403, write: 200, admin: 403 },
    metrics: { none: 401, read: 200, write: 403, admin: 200 },
    health: open,
    ready: open,
    docs: open,
    openapi: open,
    script: open,
  };
  for (const [name, statuses] of Object.entries(expected)) {
    const options = REQUESTS[name as keyof typeof REQUESTS];
    for (const [scope, status] of Object.entries(statuses)) {
      const own = 'headers' in options ? options.headers : {};
      const headers = scope === 'none' ? own : { ...own, ...bearing(tokens[scope as keyof typeof tokens]) };
      const reply = await app.inject({ ...options, headers });
      assert.equal(reply.statusCode, status, `${name} with ${scope}: ${reply.body}`);
    }
  }
  await service.idle();
  const text = await metrics.registry.metrics();
  assert.match(text, /recsys_http_rejected_total\{reason="unauthenticated"\} 7/);
  assert.match(text, /recsys_http_rejected_total\{reason="forbidden"\} 13/);
  assert.match(
    text,
    /recsys_http_request_seconds_count\{method="POST",route="\/v1\/events",status="401"\} 1/,
  );
  assert.match(
    text,
    /recsys_http_request_seconds_count\{method="POST",route="\/v1\/events",status="403"\} 2/,
  );
});

test('who is not let in is told how, in the form of every error', async (t) => {
  const { security, tokens } = await withKeys(t);
  const { app } = await startServer(t, { security });
  const asked = (headers: Record<string, string>) => app.inject({ ...REQUESTS.list, headers });
  const none = await asked({});
  assert.deepEqual(
    [none.statusCode, none.headers['www-authenticate'], none.headers['content-type']],
    [401, 'Bearer realm="recsys"', 'application/json; charset=utf-8'],
  );
  const { requestId, ...body } = none.json();
  assert.equal(requestId, none.headers['x-request-id']);
  assert.deepEqual(body, {
    code: 'UNAUTHENTICATED',
    message: 'a key is needed',
    remedy: 'Send a valid key: `authorization: Bearer rsk_…`; the operator of the service makes them.',
  });
  for (const wrong of [
    tokens.expired,
    `${tokens.read}x`,
    tokens.read.slice(0, -1),
    'x'.repeat(9000),
    'rsk_',
    '',
  ]) {
    const reply = await asked(bearing(wrong));
    assert.equal(reply.statusCode, 401);
    assert.equal(reply.headers['www-authenticate'], 'Bearer realm="recsys", error="invalid_token"');
    assert.equal(
      reply.json().message,
      'the key is not valid',
      'nothing tells an unknown key from an expired one',
    );
  }
  const forbidden = await asked(bearing(tokens.write));
  assert.deepEqual(
    [forbidden.statusCode, forbidden.json().code, forbidden.json().message],
    [403, 'FORBIDDEN', 'this needs a key with the scope read'],
  );
  assert.equal(
    forbidden.headers['www-authenticate'],
    'Bearer realm="recsys", error="insufficient_scope", scope="read"',
  );
});

test('a body is not read for who is not let in', async (t) => {
  const { security } = await withKeys(t);
  const { app } = await startServer(t, { security, requests: { bodyBytes: 1024 } });
  for (const payload of ['{"id": ', 'x'.repeat(5000)])
    assert.equal((await app.inject({ ...REQUESTS.event, payload })).statusCode, 401);
});

test('a key is never in a reply, wherever it was in the request', async (t) => {
  const { security, tokens } = await withKeys(t);
  const { app } = await startServer(t, { security });
  const key = tokens.write;
  const secret = key.split('.')[1]!;
  const headers = { ...json, ...bearing(key) };
  const requests: InjectOptions[] = [
    { url: `/${key}`, headers },
    { url: `/%zz${key}`, headers },
    { url: `/v1/recommendations?${key}=1`, headers: bearing(tokens.read) },
    {
      method: 'POST',
      url: '/v1/events',
      headers,
      payload: JSON.stringify({ ...event('e', 'i1'), [key]: 1 }),
    },
    {
      method: 'POST',
      url: '/v1/events',
      headers,
      payload: JSON.stringify({ ...event('e', 'i1'), behaviour: key }),
    },
    { method: 'POST', url: '/v1/events', headers: { ...headers, 'content-type': key }, payload: '{}' },
    { method: 'POST', url: '/v1/events', headers, payload: `{"id": ${key}` },
  ];
  for (const options of requests) {
    const reply = await app.inject(options);
    assert(reply.statusCode >= 400 && reply.statusCode < 500, JSON.stringify(options));
    assert(!`${reply.body}${JSON.stringify(reply.headers)}`.includes(secret), reply.body);
  }
});

test('a revoked key is refused by a running service', async (t) => {
  const { file, security, tokens, clock } = await withKeys(t);
  const { app } = await startServer(t, { security });
  const ask = async () => (await app.inject({ ...REQUESTS.list, headers: bearing(tokens.read) })).statusCode;
  assert.equal(await ask(), 200);
  await revokeKey(file, tokens.read.slice(4, 16));
  clock.now += 1000;
  assert.equal(await ask(), 401);
});

test('a route that says nothing of who may needs admin; handlers are told the key', async (t) => {
  const { security, tokens } = await withKeys(t);
  const app = fastify();
  t.after(() => app.close());
  installErrors(app, () => {});
  installAccess(app, security, new ServiceMetrics(), () => NOW);
  app.post('/v1/admin/model', async (request) => ({ by: request.apiKey?.name }));
  for (const [token, status] of [
    [tokens.read, 403],
    [tokens.write, 403],
    [tokens.admin, 200],
  ] as const) {
    const reply = await app.inject({ method: 'POST', url: '/v1/admin/model', headers: bearing(token) });
    assert.equal(reply.statusCode, status);
    if (status === 200) assert.deepEqual(reply.json(), { by: 'admin' });
  }
});

test('without a key file everyone is let in, as before', async (t) => {
  const { app } = await startServer(t);
  assert.equal((await app.inject(REQUESTS.list)).statusCode, 200);
  assert.equal((await app.inject({ ...REQUESTS.list, headers: bearing('rsk_anything') })).statusCode, 200);
  assert.equal((await app.inject('/docs/json')).json().components?.securitySchemes, undefined);
});

test('requests of a key: a burst, 429 with Retry-After, and on again', async (t) => {
  const { security, tokens } = await withKeys(t, { perKey: { perSecond: 0.5, burst: 2 } });
  const clock = { now: NOW };
  const { app, metrics } = await startServer(t, { security, now: () => clock.now });
  const ask = (token?: string) =>
    app.inject({ ...REQUESTS.list, headers: token === undefined ? {} : bearing(token) });
  const statuses = async (n: number, token?: string) => {
    const seen: number[] = [];
    for (let i = 0; i < n; i++) seen.push((await ask(token)).statusCode);
    return seen;
  };
  assert.deepEqual(await statuses(3, tokens.read), [200, 200, 429]);
  assert.deepEqual(await statuses(3, tokens.write), [403, 403, 429], 'another key has its own');
  assert.deepEqual(await statuses(3), [401, 401, 429], 'who has no key counts by address');
  assert.deepEqual(await statuses(1, tokens.expired), [429]);
  assert.equal((await app.inject('/nothing')).statusCode, 429);
  const refused = await ask(tokens.read);
  assert.deepEqual([refused.headers['retry-after'], refused.json().code], ['2', 'RATE_LIMITED']);
  assert.equal((await app.inject('/healthz')).statusCode, 200, 'probes are not counted');
  clock.now += 2000;
  assert.deepEqual(await statuses(2, tokens.read), [200, 429]);
  assert.match(await metrics.registry.metrics(), /recsys_http_rejected_total\{reason="rate"\} 7/);
});

test('events and requests about one user are limited, whoever sends them, all of a request or nothing', async (t) => {
  const clock = { now: NOW };
  const { app, service } = await startServer(t, {
    security: { limits: limits({ perUser: { perSecond: 1, burst: 3 } }) },
    now: () => clock.now,
  });
  const send = async (...users: string[]) => {
    const events = users.map((user, n) =>
      event(`${clock.now} ${user} ${n} ${Math.max(0, service.lag)}`, 'i1', user),
    );
    const payload = JSON.stringify({ events });
    return (await app.inject({ method: 'POST', url: '/v1/events', headers: json, payload })).statusCode;
  };
  assert.equal(await send('a', 'a', 'b'), 200);
  assert.equal(await send('a', 'a', 'c', 'c', 'c'), 429, 'a has one left');
  assert.equal(await send('c', 'c', 'c'), 200, 'and the others of the refused request kept theirs');
  assert.equal((await app.inject('/v1/recommendations?user=a')).statusCode, 200);
  const refused = await app.inject('/v1/recommendations?user=a');
  assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [429, '1']);
  assert.equal((await app.inject('/v1/recommendations?user=b')).statusCode, 200);
  clock.now += 3000;
  assert.equal(await send('a', 'a', 'a', 'a', 'a'), 200, 'a full bucket lets a larger batch through');
  clock.now += 2000;
  assert.equal((await app.inject('/v1/recommendations?user=a')).statusCode, 429, 'which is paid for');
});

test('the users a request is about, of bodies nobody has checked', () => {
  const users = (query: unknown, body?: unknown) => Object.fromEntries(usersOf(query, body));
  assert.deepEqual(users({ user: 'a' }), { a: 1 });
  assert.deepEqual(users({}, { user: 7 }), { 7: 1 });
  assert.deepEqual(users({}, [{ user: 'a' }, { user: 'b' }, { user: 'a' }, 3, null]), { a: 2, b: 1 });
  assert.deepEqual(users({}, { events: [{ user: 7 }, { user: '7' }] }), { 7: 2 });
  for (const body of [
    undefined,
    null,
    'a',
    3,
    [],
    { events: 'x' },
    { user: { a: 1 } },
    JSON.parse('{"__proto__":{"user":"a"}}'),
  ])
    assert.deepEqual(users({}, body), {});
});
