import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { listen } from '../../../src/online/http/server.js';
import { securitySchema } from '../../../src/online/security/schema.js';
import { checkExposure, openSecurity } from '../../../src/online/security/security.js';
import { readTls } from '../../../src/online/security/tls.js';
import { recordingContext, startServer, temporary } from '../fixtures.js';
import { certificate, limits, openssl, withKeys } from './fixtures.js';

const skip = openssl ? false : 'openssl is not installed';

test('a certificate and a key that parse and belong together', { skip }, async (t) => {
  const folder = await temporary(t);
  const [one, two] = [certificate(folder, 'one'), certificate(folder, 'two')];
  const { log, lines } = recordingContext();
  assert.deepEqual(await readTls(one, log), { cert: await readFile(one.cert), key: await readFile(one.key) });
  assert.deepEqual(lines, []);
  await assert.rejects(readTls({ cert: one.cert, key: two.key }, log), {
    code: 'TLS_INVALID',
    message: /two\.key is not the private key of the certificate .*one\.crt/,
  });
  await assert.rejects(readTls({ cert: one.key, key: one.key }, log), {
    message: /one\.key: no PEM certificate/,
  });
  await assert.rejects(readTls({ cert: one.cert, key: one.cert }, log), { code: 'SECRETS_EXPOSED' });
  const junk = join(folder, 'junk');
  await writeFile(junk, 'not a key', { mode: 0o600 });
  await assert.rejects(readTls({ cert: one.cert, key: junk }, log), {
    code: 'TLS_INVALID',
    message: /no PEM private key/,
  });
  await assert.rejects(readTls({ cert: join(folder, 'none'), key: one.key }, log), { code: 'FILE_MISSING' });
  await chmod(one.key, 0o644);
  await assert.rejects(readTls(one, log), { code: 'SECRETS_EXPOSED', message: /the private key .*mode 644/ });
  await chmod(one.key, 0o600);
  await readTls(one, log, Date.now() + 10 * 24 * 60 * 60 * 1000);
  assert.match(lines[0]!, /^warn: the certificate .* clients will refuse it/);
});

test('HTTPS with the certificate, and HSTS', { skip }, async (t) => {
  const files = certificate(await temporary(t), 'one');
  const tls = await readTls(files, recordingContext().log);
  const { app } = await startServer(t, { security: { tls, limits: limits() } });
  const url = await listen(app, '127.0.0.1', 0);
  assert.match(url, /^https:/);
  const reply = await new Promise<{ status: number; hsts: unknown }>((resolve, reject) => {
    request(`${url}/readyz`, { ca: tls.cert }, (response) => {
      response.resume();
      resolve({ status: response.statusCode!, hsts: response.headers['strict-transport-security'] });
    })
      .on('error', reject)
      .end();
  });
  assert.deepEqual(reply, { status: 200, hsts: 'max-age=31536000' });
  await assert.rejects(fetch(`${url.replace('https', 'http')}/readyz`));
});

test('beyond loopback only with a key file; without TLS with a warning', async (t) => {
  const { security } = await withKeys(t);
  const { log, lines } = recordingContext();
  for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1']) checkExposure(host, undefined, log);
  assert.deepEqual(lines, []);
  for (const host of ['0.0.0.0', '::', '10.0.0.7', 'example.org', '127.0.0.1.example.org', '0'])
    for (const open of [undefined, { limits: limits() }])
      assert.throws(() => checkExposure(host, open, log), {
        code: 'KEYS_REQUIRED',
        exitCode: 2,
        remedy: /recsys serve-online keys create/,
      });
  checkExposure('0.0.0.0', security, log);
  assert.match(lines[0]!, /^warn: 0\.0\.0\.0 is served without TLS/);
  checkExposure('0.0.0.0', { ...security, tls: { cert: Buffer.from(''), key: Buffer.from('') } }, log);
  assert.equal(lines.length, 1);
});

test('a key file without a valid key is said; one that is missing is refused', async (t) => {
  const file = join(await temporary(t), 'keys.json');
  const { log, lines } = recordingContext();
  await assert.rejects(openSecurity(securitySchema.parse({ keys: file }), log), { code: 'FILE_MISSING' });
  await writeFile(file, '{"kind":"keys","formatVersion":1,"keys":[]}', { mode: 0o600 });
  checkExposure('127.0.0.1', await openSecurity(securitySchema.parse({ keys: file }), log), log);
  assert.match(lines[0]!, /no key in .* is valid: every request will be refused/);
});
