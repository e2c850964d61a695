import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from './fixtures.js';
import { withKeys } from './security/fixtures.js';

const EXTERNAL = /\b[a-z][a-z+.-]*:\/\/|["'(]\/\//;

test('the page is open, holds no data, and loads nothing from elsewhere', async (t) => {
  const { security } = await withKeys(t);
  const { app } = await startServer(t, { security });
  for (const url of ['/', '/?x=1']) {
    const { statusCode, headers, body } = await app.inject(url);
    assert.equal(statusCode, 200);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(
      headers['content-security-policy'],
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.equal(headers['cache-control'], 'no-store');
    for (const heading of ['Alerts', 'Traffic', 'Quality now', 'Learner'])
      assert.match(body, new RegExp(`<section aria-labelledby="(\\w+-title)"><h2 id="\\1">${heading}</h2>`));
    assert.match(body, /<html lang="en">/);
    assert.match(body, /<label for="key">/);
    assert.doesNotMatch(body, EXTERNAL);
    // What the policy would refuse.
    assert.doesNotMatch(body, /<style|<script(?! type="module" src="assets\/)|\sstyle=|\son[a-z]+=/);
    for (const [, id] of body.matchAll(/ id="([^"]+)"/g))
      assert.equal(body.split(` id="${id}"`).length, 2, `${id} is there once`);
  }
  assert.equal((await app.inject('/v1/quality')).statusCode, 401, 'the data is not open');
  assert.equal((await app.inject('/metrics')).statusCode, 401);
});

test('its style sheet is a file of the service, with a type that browsers take', async (t) => {
  const { app } = await startServer(t);
  const { statusCode, headers, body } = await app.inject('/assets/dashboard/style.css');
  assert.equal(statusCode, 200);
  assert.equal(headers['content-type'], 'text/css; charset=utf-8');
  assert.match(body, /prefers-color-scheme: dark/);
  assert.doesNotMatch(body, EXTERNAL);
  assert.doesNotMatch(body, /@import|url\(/);
  for (const url of [
    '/assets/',
    '/assets/dashboard/page.ts',
    '/assets/../main.js',
    '/assets/online/service.js',
  ])
    assert.equal((await app.inject(url)).statusCode, 404, url);
});

test('the page is no part of the API that is described', async (t) => {
  const { app } = await startServer(t);
  const { paths } = (await app.inject('/docs/json')).json();
  assert.deepEqual(
    Object.keys(paths).filter((path) => path === '/' || path.startsWith('/assets')),
    [],
  );
});
