/**
 * Whatever is sent, the service neither breaks nor shows its inside. By hand, for longer:
 *
 *     RECSYS_FUZZ_RUNS=100000 npx tsx --test test/online/fuzz.test.ts
 */
import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { catalogue, startServer } from './fixtures.js';
import { bearing, withKeys } from './security/fixtures.js';

const RUNS = Number(process.env.RECSYS_FUZZ_RUNS ?? 3000);

const ROUTES = [
  '/v1/events',
  '/v1/recommendations',
  '/v1/elicitation',
  '/v1/clicks',
  '/v1/state',
  '/healthz',
  '/readyz',
  '/metrics',
  '/docs',
  '/docs/json',
  '/docs/yaml',
  '/docs/static/index.html',
  '/docs/static/swagger-ui.css',
  '/docs/static/../../package.json',
  '/docs/static/%2e%2e%2f%2e%2e%2fpackage.json',
];
const NAMES = [
  'id',
  'user',
  'item',
  'behaviour',
  'time',
  'value',
  'context',
  'events',
  'k',
  'exclude',
  'history',
];
const MORE_NAMES = [
  'candidates',
  'includeSeen',
  'adapter',
  'state',
  'asked',
  '__proto__',
  'constructor',
  'x',
];

const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 40 }));
/** A lone surrogate cannot be percent-encoded. */
const encoded = (text: string): string => encodeURIComponent(Buffer.from(text).toString());
const value = fc.oneof(
  fc.constantFrom('u1', 'i1', 'view', '', 7, -1, 1e308, null, true, 'i1,i2', '2026-01-01T00:00:00Z'),
  anyText,
  fc.jsonValue({ maxDepth: 3 }),
);
const name = fc.constantFrom(...NAMES, ...MORE_NAMES);
/** Bodies that are nearly right, and are sometimes taken. */
const event = fc.record(
  {
    id: fc.oneof(fc.integer(), fc.string({ maxLength: 8 })),
    user: fc.constantFrom('u1', 'u2', 7),
    item: fc.constantFrom('i1', 'i2', 'gone'),
    behaviour: fc.constantFrom('view', 'stare'),
    value: value,
    context: fc.dictionary(fc.string({ maxLength: 5 }), value, { maxKeys: 2 }),
  },
  { requiredKeys: ['id', 'user', 'item'] },
);
const shape = fc.dictionary(name, value, { maxKeys: 8 });
const json = fc.oneof(
  event,
  fc.array(event, { maxLength: 4 }),
  fc.record({ events: fc.array(fc.oneof(event, shape), { maxLength: 4 }) }),
  fc.record(
    { user: fc.constantFrom('u1', 'new'), k: fc.integer({ min: -1, max: 30 }) },
    { requiredKeys: ['user'] },
  ),
  fc.record({ history: fc.array(fc.constantFrom('i1', 'i2', 'gone'), { maxLength: 12 }) }),
  shape,
  fc.array(shape, { maxLength: 4 }),
  fc.jsonValue(),
);
const payload = fc.oneof(
  { weight: 6, arbitrary: json.map((body) => JSON.stringify(body)) },
  { weight: 1, arbitrary: anyText },
  { weight: 1, arbitrary: json.map((body) => JSON.stringify(body).slice(0, -1)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('x'.repeat(20_000), '['.repeat(5000), '{"a":'.repeat(2000), '1e9999'),
  },
);
const query = fc
  .array(fc.tuple(name, fc.oneof(fc.constantFrom('u1', '3', 'i1,i2', 'true', 'view'), anyText)), {
    maxLength: 4,
  })
  .map((pairs) => pairs.map(([key, text]) => `${key}=${encoded(text)}`).join('&'));
const url = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constantFrom(...ROUTES), query).map(([path, text]) => `${path}?${text}`),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...ROUTES), anyText).map(([path, text]) => path + text) },
  { weight: 1, arbitrary: anyText.map((text) => `/${text}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('/%', '/%zz', '/v1/%00', '/..%2f..%2f', '/v1//events', '/?', '/*', '/docs/*'),
  },
);
const headerText = fc.string({ maxLength: 40 });
const headers = fc.dictionary(
  fc.constantFrom(
    'accept',
    'accept-encoding',
    'accept-version',
    'content-encoding',
    'cookie',
    'expect',
    'if-modified-since',
    'if-none-match',
    'host',
    'origin',
    'range',
    'x-forwarded-for',
    'x-http-method-override',
    'x-request-id',
  ),
  fc.oneof(headerText, fc.constantFrom('gzip', '*', 'bytes=0-5', 'bytes=99999999-', '"', '127.0.0.1')),
  { maxKeys: 4 },
);
const type = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/json') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('application/json; charset=utf-16', 'text/plain', 'multipart/form-data', ''),
  },
  { weight: 1, arbitrary: headerText },
);
const request = fc.record({
  method: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('GET', 'POST') },
    { weight: 1, arbitrary: fc.constantFrom(...METHODS) },
  ),
  url: url.filter((text) => URL.canParse(text, 'http://localhost')),
  headers,
  type,
  payload,
});

/** What only the inside of the service knows: stacks, and where its files lie. */
const INSIDE = /\n\s+at |node_modules|\.[jt]s:\d+|file:\/\/|recsys-online-/;

async function check(app: FastifyInstance, options: InjectOptions): Promise<number> {
  const reply = await app.inject(options);
  const said = JSON.stringify({ ...options, status: reply.statusCode, body: reply.body.slice(0, 500) });
  assert(reply.statusCode < 500 || [503, 507].includes(reply.statusCode), said);
  assert.equal(reply.headers['x-content-type-options'], 'nosniff', said);
  assert(reply.headers['content-security-policy'], said);
  if (!options.url?.toString().startsWith('/docs/static/')) assert.doesNotMatch(reply.body, INSIDE, said);
  if (reply.statusCode >= 400 && options.method !== 'HEAD') {
    const { code, message, remedy, requestId, errors, ...rest } = reply.json();
    assert(code && message && remedy && requestId === reply.headers['x-request-id'], said);
    assert.deepEqual(rest, {}, said);
    assert(errors === undefined || Array.isArray(errors), said);
  }
  return reply.statusCode;
}

test(`no request whatever brings the service down or shows its inside (${RUNS} runs)`, async (t) => {
  const known = catalogue(2, 5, ['view']);
  const requests = { bodyBytes: 16_384 };
  const { app: open } = await startServer(t, { catalogue: known, requests });
  const { tokens, security } = await withKeys(t, { perUser: { perSecond: 1, burst: 40 } });
  let now = 1_700_000_000_000;
  const guarded = await startServer(t, { catalogue: known, requests, security, now: () => now++ });
  const token = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(tokens.read, tokens.write) },
    { weight: 1, arbitrary: fc.constantFrom(...Object.values(tokens), '') },
    { weight: 1, arbitrary: headerText },
  );
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(
      request,
      fc.boolean(),
      token,
      async ({ method, url, headers, type, payload }, keyed, one) => {
        const options = {
          method: method as 'GET',
          url,
          headers: { ...headers, 'content-type': type, ...(keyed ? bearing(one) : {}) },
          ...(method === 'GET' || method === 'HEAD' ? {} : { payload }),
        };
        seen.add(await check(keyed ? guarded.app : open, options));
      },
    ),
    { numRuns: RUNS },
  );
  // What was generated gets through the door, to every kind of answer.
  for (const status of [200, 400, 401, 403, 404, 413, 415, 429])
    assert(seen.has(status), `never answered ${status}`);
  assert.equal((await guarded.app.inject('/readyz')).statusCode, 200);
  assert.equal((await open.inject('/readyz')).statusCode, 200);
});
