import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { listen } from '../../../src/online/http/server.js';
import { turn } from '../../../src/online/turn.js';
import { event, post, startServer } from '../fixtures.js';
import { withKeys } from './fixtures.js';

const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
};
const API_POLICY = "default-src 'none'; frame-ancestors 'none'";

test('security headers are on every reply, errors included; nothing names the server', async (t) => {
  const { security } = await withKeys(t);
  const { app } = await startServer(t, { security });
  const open = await startServer(t);
  const replies = [
    await app.inject('/healthz'),
    await app.inject('/v1/recommendations?user=a'),
    await app.inject('/nothing'),
    await app.inject('/%zz'),
    await app.inject({ method: 'OPTIONS', url: '/v1/events' }),
    await open.app.inject('/metrics'),
    await open.app.inject('/v1/recommendations?user=a'),
    await open.app.inject('/v1/recommendations'),
    await post(open.app, '/v1/events', event('a', 'i1')).then(({ headers }) => ({ headers })),
  ];
  for (const { headers } of replies) {
    for (const [name, value] of Object.entries(EVERYWHERE)) assert.equal(headers[name], value, name);
    assert.equal(headers['content-security-policy'], API_POLICY);
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(String(headers['x-request-id']), /^[\w-]{36}$/);
    for (const banner of [
      'server',
      'x-powered-by',
      'access-control-allow-origin',
      'strict-transport-security',
    ])
      assert.equal(headers[banner], undefined, banner);
  }
});

test('the API page works under its policy: its scripts, styles and images are files of this service', async (t) => {
  const { security } = await withKeys(t);
  const { app } = await startServer(t, { security });
  const page = await app.inject('/docs/');
  assert.equal(page.statusCode, 200);
  const policy = String(page.headers['content-security-policy']);
  assert.match(policy, /script-src 'self';/);
  assert.match(policy, /connect-src 'self';/);
  assert.match(policy, /frame-ancestors 'none'/);
  for (const [, text] of page.body.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g))
    assert.equal(text!.trim(), '', 'no script stands in the page');
  assert.doesNotMatch(page.body, /<style| on[a-z]+=/);
  const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  assert(files.length >= 5, page.body);
  for (const file of files) {
    assert.doesNotMatch(file, /^(?:https?:)?\/\//);
    const reply = await app.inject(new URL(file, 'http://x/docs/').pathname);
    assert.equal(reply.statusCode, 200, file);
    const kind = file.endsWith('.js') ? /javascript/ : file.endsWith('.css') ? /text\/css/ : /^image\//;
    assert.match(String(reply.headers['content-type']), kind, 'nosniff: a script of another type is not run');
    for (const [name, value] of Object.entries(EVERYWHERE)) assert.equal(reply.headers[name], value, name);
  }
});

test('with keys the description says which scope a route takes, and how it refuses', async (t) => {
  const { security } = await withKeys(t);
  const { app } = await startServer(t, { security });
  const { paths, components } = (await app.inject('/docs/json')).json();
  assert.equal(components.securitySchemes.key.scheme, 'bearer');
  assert.deepEqual(paths['/v1/events'].post.security, [{ key: [] }]);
  assert.match(paths['/v1/events'].post.description, /Scope: write$/);
  assert.match(paths['/metrics'].get.description, /Scope: read or admin$/);
  for (const status of ['200', '400', '401', '403', '429'])
    assert(paths['/v1/events'].post.responses[status], status);
  assert.equal(paths['/healthz'].get.security, undefined);
});

/** Writes to a socket and gives all that comes back until it is closed. */
async function raw(url: string, write: (send: (text: string) => void) => unknown): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  write((part) => socket.write(part));
  await once(socket, 'close');
  return text;
}

const HEAD = 'POST /v1/events HTTP/1.1\r\nhost: x\r\n';

function assertTimedOut(text: string): void {
  assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/);
  assert.match(text, /x-content-type-options: nosniff/);
  assert.match(text, /"code":"REQUEST_INVALID"/);
}

test('who sends headers too slowly, or nothing more, is hung up on; others are answered meanwhile', {
  timeout: 20_000,
}, async (t) => {
  const timeouts = { headers: 200, request: 60_000, keepAlive: 200, check: 50 };
  const { app } = await startServer(t, { timeouts });
  const url = await listen(app, '127.0.0.1', 0);
  const slow = Array.from({ length: 20 }, () => raw(url, (send) => send(HEAD)));
  const idle = raw(url, (send) => send('GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n'));
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  for (const text of await Promise.all(slow)) assertTimedOut(text);
  assert.match(await idle, /^HTTP\/1\.1 200 OK/, 'answered, and closed when nothing more came');
});

test('who sends a body too slowly is hung up on', { timeout: 20_000 }, async (t) => {
  const { app } = await startServer(t, {
    timeouts: { headers: 300, request: 300, keepAlive: 200, check: 50 },
  });
  const url = await listen(app, '127.0.0.1', 0);
  assertTimedOut(
    await raw(url, (send) => send(`${HEAD}content-type: application/json\r\ncontent-length: 100\r\n\r\n{`)),
  );
});

test('what is no HTTP is answered in the form of every error', async (t) => {
  const { app } = await startServer(t);
  const url = await listen(app, '127.0.0.1', 0);
  for (const [text, status] of [
    ['nonsense\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n', 400],
  ] as const) {
    const reply = await raw(url, (send) => send(text));
    assert(reply.startsWith(`HTTP/1.1 ${status} `), reply);
    const body = JSON.parse(reply.split('\r\n\r\n')[1]!);
    assert(body.code === 'REQUEST_INVALID' && body.message && body.remedy);
  }
});

test('a connection on which nothing was asked does not keep the server from closing', {
  timeout: 20_000,
}, async (t) => {
  const { app } = await startServer(t);
  const url = await listen(app, '127.0.0.1', 0);
  const silent = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  await once(silent, 'connect');
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  const closed = once(silent, 'close');
  await app.close();
  await closed;
});

test('who does not read what they asked for does not keep the server from closing', {
  timeout: 20_000,
}, async (t) => {
  const { app } = await startServer(t, {
    timeouts: { headers: 300, request: 300, keepAlive: 200, check: 50 },
  });
  const url = await listen(app, '127.0.0.1', 0);
  // Nobody listens to what comes: more than the system's buffers hold waits to be sent.
  const deaf = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  t.after(() => deaf.destroy());
  deaf.write('GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(20));
  await once(app.server, 'request');
  await app.close();
});

test('what is asked on an open connection while the server closes is answered in the form of every reply', {
  timeout: 20_000,
}, async (t) => {
  const { app, service, learner } = await startServer(t);
  const url = await listen(app, '127.0.0.1', 0);
  await post(app, '/v1/events', event('a', 'i1'));
  await service.idle();
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const score = learner.score.bind(learner);
  learner.score = async (queries: Parameters<typeof score>[0]) => {
    await gate;
    return score(queries);
  };
  const text = raw(url, async (send) => {
    send('GET /v1/recommendations?user=new HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(app.server, 'request');
    const drained = service.drain();
    const closed = app.close();
    while (app.server.listening) await turn();
    const payload = JSON.stringify(event('b', 'i1'));
    send(`${HEAD}content-type: application/json\r\ncontent-length: ${payload.length}\r\n\r\n${payload}`);
    await once(app.server, 'request');
    open();
    await Promise.all([drained, closed]);
  });
  const [list, refused] = (await text).split(/(?=HTTP\/1\.1 )/);
  assert.match(list!, /^HTTP\/1\.1 200 /);
  assert.match(refused!, /^HTTP\/1\.1 503 [\s\S]*retry-after: 1\r\n[\s\S]*"code":"NOT_READY"/);
  assert.match(refused!, /x-content-type-options: nosniff/);
});
