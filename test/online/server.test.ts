import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { listen } from '../../src/online/http/server.js';
import { event, post, recordingContext, startServer } from './fixtures.js';

/** What a description says of a route, as far as it is looked at. */
interface Described {
  readonly responses: Record<
    string,
    { readonly content?: Record<string, { readonly schema?: { readonly additionalProperties?: boolean } }> }
  >;
}

async function list(app: FastifyInstance, body: object): Promise<string[]> {
  const reply = await post(app, '/v1/recommendations', body);
  assert.equal(reply.status, 200, JSON.stringify(reply.body));
  return reply.body.items.map((entry: { item: string }) => entry.item);
}

test('a user never seen gets popular items, marked as a fallback', async (t) => {
  const { app } = await startServer(t);
  const reply = await app.inject('/v1/recommendations?user=nobody&k=3');
  const { requestId, ...body } = reply.json();
  assert.equal(requestId, reply.headers['x-request-id']);
  assert.deepEqual(body, {
    user: 'nobody',
    items: [
      { item: 'i1', title: 'Title 1', score: 20 },
      { item: 'i2', title: 'Title 2', score: 19 },
      { item: 'i3', title: 'Title 3', score: 18 },
    ],
    modelVersion: 'base+0',
    fallback: true,
    fallbackReason: 'unknown user',
    unknown: [],
  });
});

test('the first request after five events leaves out what was seen, and follows what others did next', async (t) => {
  const { app, service } = await startServer(t);
  const before = await list(app, { user: 'new', k: 5 });
  await post(app, '/v1/events', [event('o1', 'i9', 'other'), event('o2', 'i17', 'other')]);
  const reply = await post(app, '/v1/events', {
    events: ['i1', 'i2', 'i3', 'i4', 'i9'].map((item, n) => event(n, item)),
  });
  assert.deepEqual([reply.status, reply.body.accepted, reply.body.duplicates], [200, 5, 0]);
  const now = await list(app, { user: 'new', k: 5 });
  for (const item of ['i1', 'i2', 'i3', 'i4', 'i9']) assert(!now.includes(item));
  await service.idle();
  const after = await list(app, { user: 'new', k: 5 });
  assert.equal(after[0], 'i17');
  assert.notDeepEqual(after, before);
  assert((await list(app, { user: 'new', k: 20, includeSeen: true })).includes('i1'));
});

test('a repeated id is answered like the first time and learned once, also within a request and at the same time', async (t) => {
  const { app, service, learner } = await startServer(t);
  const replies = await Promise.all(
    Array.from({ length: 8 }, () =>
      post(app, '/v1/events', [event('a', 'i1'), event('a', 'i2'), event('b', 'i3')]),
    ),
  );
  const numbers = new Set(
    replies.map(({ body }) => JSON.stringify(body.events.map((e: { seq: number }) => e.seq))),
  );
  assert.equal(numbers.size, 1);
  assert.equal(
    replies.reduce((sum, { body }) => sum + body.accepted, 0),
    2,
  );
  assert.deepEqual(
    replies[0]!.body.events.map((e: { status: string }) => e.status),
    ['accepted', 'duplicate', 'accepted'],
  );
  await service.idle();
  assert.deepEqual('updates' in learner && learner.updates, [['a', 'b']]);
});

test('concurrent posts are all taken, learned in journal order', async (t) => {
  const { app, service, learner } = await startServer(t);
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      post(app, '/v1/events', event(`e${n}`, `i${(n % 20) + 1}`, `user${n % 7}`)),
    ),
  );
  await service.idle();
  const bySeq = replies.flatMap(({ body }) => body.events).sort((a, b) => a.seq - b.seq);
  assert.deepEqual(
    'updates' in learner && (learner.updates as string[][]).flat(),
    bySeq.map((e) => e.id),
  );
});

test('the query of an address that cannot be decoded is refused, not taken as it stands', async (t) => {
  const { app } = await startServer(t);
  for (const user of ['%zz', '%E4', 'a%'])
    for (const path of ['recommendations', 'elicitation']) {
      const reply = await app.inject(`/v1/${path}?user=${user}`);
      assert.deepEqual([reply.statusCode, reply.json().code], [400, 'REQUEST_INVALID'], user);
    }
  assert.equal((await app.inject('/v1/recommendations?user=%C3%A4%25')).json().user, 'ä%');
});

test('what is wrong with a body is said by event and field, and nothing of it is taken', async (t) => {
  const { app, service } = await startServer(t);
  const cases: [unknown, number | undefined, string][] = [
    [[event('a', 'i1'), { ...event('b', 'i2'), user: '' }], 1, 'user'],
    [[event('a', 'i1'), { id: 'b', user: 'x', behaviour: 'view' }], 1, 'item'],
    [{ ...event('a', 'i1'), behaviour: 'vew' }, 0, 'behaviour'],
    [{ id: 'a', user: 'x', item: 'i1' }, 0, 'behaviour'],
    [{ ...event('a', 'i1'), time: 'yesterday' }, 0, 'time'],
    [{ ...event('a', 'i1'), context: { nested: { a: 1 } } }, 0, 'context.nested'],
    [{ ...event('a', 'i1'), extra: 1 }, 0, 'extra'],
    [{ events: 'none' }, undefined, 'events'],
    [{ events: [], more: 1 }, undefined, 'more'],
  ];
  for (const [body, index, field] of cases) {
    const reply = await post(app, '/v1/events', body);
    assert.equal(reply.status, 400, JSON.stringify(body));
    assert.equal(reply.body.code, 'REQUEST_INVALID');
    assert.deepEqual([reply.body.errors[0].index, reply.body.errors[0].field], [index, field]);
    assert(reply.body.remedy && reply.body.requestId);
    assert.doesNotMatch(JSON.stringify(reply.body), /\\n *at /);
  }
  for (const body of ['{"id": ', '', '[]', '7', 'null', '{"__proto__": {"a": 1}}']) {
    assert.equal((await post(app, '/v1/events', body)).body.code, 'REQUEST_INVALID', body);
  }
  const many = Array.from({ length: 1001 }, (_, n) => event(n, 'i1'));
  assert.equal((await post(app, '/v1/events', many)).status, 413);
  for (const type of ['text/xml', 'text/plain', 'application/x-www-form-urlencoded']) {
    const headers = { 'content-type': type };
    const form = await app.inject({ method: 'POST', url: '/v1/events', payload: 'a=1', headers });
    assert.deepEqual([form.statusCode, form.json().code], [415, 'MEDIA_TYPE'], type);
  }
  assert.equal(service.lag, 0);
  assert.equal((await post(app, '/v1/events', event('a', 'i1'))).body.accepted, 1);
});

test('a field that is missing is called so; one of a wrong kind says what is taken', async (t) => {
  const { app } = await startServer(t);
  const first = event('a', 'i1');
  const { id: _, ...nameless } = first;
  const cases: [string, unknown, string][] = [
    ['events', nameless, 'event 0: id is missing'],
    ['events', { ...first, user: undefined }, 'event 0: user is missing'],
    ['events', { ...first, user: null }, 'event 0: user is not valid: expected string or number'],
    [
      'events',
      { ...first, item: '' },
      'event 0: item is not valid: Too small: expected string to have >=1 characters',
    ],
    ['events', { ...first, time: 'yesterday' }, 'event 0: time is not valid: Invalid ISO datetime'],
    ['events', { ...first, value: 'much' }, 'event 0: value is not valid: expected number'],
    ['recommendations', { k: 3 }, 'user is not valid: give `user`, `history` or `state`'],
    ['recommendations', { history: [{}] }, 'history.0.item is missing'],
    ['recommendations', { history: [true] }, 'history.0 is not valid: expected string, number or object'],
    ['recommendations', { history: [{ item: 'i1', at: 3 }] }, 'history.0.at is not a known field'],
  ];
  for (const [route, body, message] of cases) {
    assert.equal((await post(app, `/v1/${route}`, body)).body.message, message, JSON.stringify(body));
  }
});

test('too large a body, an unknown route and a bad query are answered in the same form', async (t) => {
  const { app } = await startServer(t, { requests: { bodyBytes: 2048 } });
  const large = await post(app, '/v1/events', [
    { ...event('a', 'i1'), context: { text: 'x'.repeat(1000) } },
    event('b', 'y'.repeat(1500)),
  ]);
  assert.deepEqual([large.status, large.body.code], [413, 'BODY_TOO_LARGE']);
  const missing = await app.inject('/v2/nothing?key=secret');
  assert.deepEqual([missing.statusCode, missing.json().message], [404, 'there is no GET /v2/nothing']);
  for (const query of [
    '',
    'user=',
    'user=a&k=0',
    'user=a&k=many',
    'user=a&z=1',
    'user=a&includeSeen=maybe',
  ]) {
    const reply = await app.inject(`/v1/recommendations?${query}`);
    assert.deepEqual([reply.statusCode, reply.json().code], [400, 'REQUEST_INVALID'], query);
  }
  assert.equal((await post(app, '/v1/recommendations', { k: 3 })).body.errors[0].field, 'user');
});

test('sessions, candidates and exclusions', async (t) => {
  const { app } = await startServer(t);
  const session = { history: ['i1', { item: 'i2', behaviour: 'buy' }, 'gone'] };
  const reply = await post(app, '/v1/recommendations', { ...session, k: 2, exclude: ['i3', 'lost'] });
  assert.deepEqual(
    reply.body.items.map((e: { item: string }) => e.item),
    ['i4', 'i5'],
  );
  assert.deepEqual(reply.body.unknown, ['gone', 'lost']);
  assert.equal(reply.body.fallback, false);
  assert.deepEqual(await list(app, { user: 'x', candidates: ['i9', 'i3', 'i7'] }), ['i3', 'i7', 'i9']);
  assert.deepEqual(
    await list(app, { ...session, candidates: ['i2', 'i9'] }),
    ['i2', 'i9'],
    'seen candidates stay',
  );
  assert.deepEqual(await list(app, { user: 'x', candidates: ['nothing'] }), []);
});

test('items the model does not know are journalled and counted, but not learned', async (t) => {
  const { app, service, metrics } = await startServer(t);
  const reply = await post(app, '/v1/events', [event('a', 'unheard'), event('b', 'i2')]);
  assert.deepEqual(
    reply.body.events.map((e: { seq: number }) => e.seq),
    [1, 2],
  );
  await service.idle();
  const text = await metrics.registry.metrics();
  assert.match(text, /recsys_events_outcome_total\{outcome="skipped",reason="unknown item"\} 1/);
  assert.match(text, /recsys_events_outcome_total\{outcome="learned",reason=""\} 1/);
});

test('weights, minimum value and learning switched off keep events out of the model, not out of the history', async (t) => {
  const { app, service, learner } = await startServer(t, {
    learning: { weights: { view: 0 }, minimumValue: 4 },
  });
  await post(app, '/v1/events', [
    event('seen', 'i1'),
    { ...event('low', 'i2'), behaviour: 'buy', value: 3 },
    { ...event('high', 'i3'), behaviour: 'buy', value: 4 },
  ]);
  await service.idle();
  assert.deepEqual('updates' in learner && learner.updates, [['high']]);
  assert(!(await list(app, { user: 'new' })).includes('i1'));

  const off = await startServer(t, { learning: { enabled: false } });
  await post(off.app, '/v1/events', event('a', 'i1'));
  await off.service.idle();
  assert.deepEqual('updates' in off.learner && off.learner.updates, []);
  assert(!(await list(off.app, { user: 'new' })).includes('i1'));
});

test('the quality of the list before learning: hand-computed', async (t) => {
  const { app, service } = await startServer(t);
  // Popular order: i3 is third for a new user; then i1 is first of what is left; i3 again is no longer in the list.
  await post(app, '/v1/events', event('a', 'i3'));
  await service.idle();
  await post(app, '/v1/events', [event('b', 'i1'), event('c', 'i3')]);
  await service.idle();
  const { count, values } = service.prequential;
  assert.equal(count, 2);
  assert.equal(values.hr, 1);
  assert.equal(values.ndcg, (1 / Math.log2(4) + 1 / Math.log2(2)) / 2);
  const text = (await app.inject('/metrics')).body;
  assert.match(text, /recsys_prequential_hr 1\n/);
  assert.match(text, /recsys_learner_lag_events 0\n/);
  assert.match(
    text,
    /recsys_http_request_seconds_count\{method="POST",route="\/v1\/events",status="200"\} 2/,
  );
  assert.match(text, /recsys_model_info\{model="counting",version="base"\} 1/);
});

test('what fails inside is told by the id of the request alone; the log says what, and not of whom', async (t) => {
  const context = recordingContext();
  const { app, service } = await startServer(t, { context });
  t.mock.method(service, 'recommend', () => Promise.reject(new Error('annabel is not in /srv/state')));
  const reply = await app.inject('/v1/recommendations?user=annabel');
  assert.equal(reply.statusCode, 500);
  assert.deepEqual(reply.json(), {
    code: 'INTERNAL',
    message: 'the request failed inside the service',
    remedy: 'Look into the log of the service for the request id.',
    requestId: reply.headers['x-request-id'],
  });
  const [line] = context.lines.filter((one) => one.includes('request failed'));
  assert.match(line!, /^warn: request failed: Error: … is not in \/srv\/state\n +at /);
  assert.doesNotMatch(line!, /annabel/);
});

test('a reply has the fields of its schema alone, of every route', async (t) => {
  const { app, service } = await startServer(t);
  const { recommend } = service;
  t.mock.method(service, 'recommend', async (...asked: Parameters<typeof recommend>) => ({
    ...(await recommend.apply(service, asked)),
    inside: 1,
  }));
  const { inside, fallback } = (await app.inject('/v1/recommendations?user=a')).json();
  assert.deepEqual([inside, fallback], [undefined, true]);
  const { paths } = (await app.inject('/docs/json')).json();
  const replies = Object.entries<Record<string, Described>>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { responses }]) => [`${method} ${path}`, responses['200']] as const,
    ),
  );
  const ours = replies.filter(([route]) => route.includes('/v1/'));
  assert(ours.length > 6, `${ours.length}`);
  for (const [route, reply] of ours) {
    const schema = reply?.content?.['application/json']?.schema;
    assert.equal(schema?.additionalProperties, false, route);
  }
});

test('a learner that cannot keep up is answered with 503 and Retry-After', async (t) => {
  const { app, service, learner } = await startServer(t, { learning: { queue: 3 } });
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const learn = learner.learn.bind(learner);
  learner.learn = async (examples) => {
    await gate;
    return learn(examples);
  };
  assert.equal((await post(app, '/v1/events', [event(1, 'i1'), event(2, 'i2'), event(3, 'i3')])).status, 200);
  const refused = await post(app, '/v1/events', event(4, 'i4'));
  assert.deepEqual([refused.status, refused.body.code], [503, 'LEARNER_BEHIND']);
  assert.equal(refused.headers['retry-after'], '1');
  open();
  await service.idle();
  assert.equal((await post(app, '/v1/events', event(4, 'i4'))).status, 200);
});

test('a model that fails or gives NaN falls back to popular items; a learner that fails is paused', async (t) => {
  const context = recordingContext();
  const { app, service, learner } = await startServer(t, { context });
  await post(app, '/v1/events', event('a', 'i1'));
  await service.idle();
  learner.score = async () => new Float32Array(21).fill(Number.NaN);
  assert.deepEqual(await list(app, { user: 'new', k: 2 }), ['i2', 'i3']);
  learner.score = () => Promise.reject(new Error('broken'));
  assert.equal((await app.inject('/v1/recommendations?user=new')).json().fallback, true);
  learner.learn = () => Promise.reject(new Error('broken'));
  await post(app, '/v1/events', event('b', 'i2'));
  await service.idle();
  assert(context.lines.some((line) => line.startsWith('warn: learning is paused')));
  assert.equal((await post(app, '/v1/events', event('c', 'i3'))).status, 200);
});

test('health, readiness and the API description', async (t) => {
  const { app, service } = await startServer(t);
  assert.deepEqual((await app.inject('/healthz')).json(), { status: 'ok' });
  assert.equal((await app.inject('/readyz')).statusCode, 200);
  const described = (await app.inject('/docs/json')).json();
  assert.equal(described.openapi, '3.1.0');
  for (const path of ['/v1/events', '/v1/recommendations', '/healthz', '/readyz', '/metrics'])
    assert(described.paths[path], path);
  assert(described.paths['/v1/events'].post.requestBody.content['application/json'].schema);
  assert.equal((await app.inject('/docs')).statusCode, 200);
  await service.drain();
  assert.equal((await app.inject('/readyz')).statusCode, 503);
  assert.equal((await app.inject('/healthz')).statusCode, 200);
  assert.equal((await post(app, '/v1/events', event('late', 'i1'))).status, 503);
  assert.equal(
    (await app.inject('/v1/recommendations?user=a')).statusCode,
    200,
    'still recommends while draining',
  );
});

test('a port in use is named', async (t) => {
  const { app } = await startServer(t);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  await assert.rejects(listen(app, '127.0.0.1', port), {
    code: 'PORT_IN_USE',
    message: new RegExp(`:${port} `),
  });
});

test('a real socket: keep-alive requests, and an address that is not this machine', async (t) => {
  const { app } = await startServer(t);
  const url = await listen(app, '127.0.0.1', 0);
  for (let n = 0; n < 3; n++) {
    const reply = await fetch(`${url}/v1/recommendations?user=a&k=1`);
    assert.equal(reply.headers.get('content-type'), 'application/json; charset=utf-8');
    assert.equal(((await reply.json()) as { items: unknown[] }).items.length, 1);
  }
  const { app: elsewhere } = await startServer(t);
  await assert.rejects(listen(elsewhere, '203.0.113.1', 0), { code: 'ENVIRONMENT' });
});
