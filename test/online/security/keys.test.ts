import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createKey, revokeKey } from '../../../src/online/security/administration.js';
import { AuditLog } from '../../../src/online/security/audit.js';
import { isValid, readKeys } from '../../../src/online/security/keys.js';
import { masked, maskingLog } from '../../../src/online/security/mask.js';
import { bearer, digest, newToken, tokenText } from '../../../src/online/security/token.js';
import { recordingContext, temporary } from '../fixtures.js';
import { newKey } from './fixtures.js';

const windows = process.platform === 'win32';

test('a token has its form and is read back; nothing else is', () => {
  const token = newToken();
  assert.match(tokenText(token), /^rsk_[0-9a-f]{12}\.[\w-]{43}$/);
  assert.deepEqual(bearer(`Bearer ${tokenText(token)}`), token);
  assert.deepEqual(bearer(`bearer  ${tokenText(token)}`), token, 'the scheme is case-insensitive (RFC 9110)');
  assert.notEqual(newToken().secret, token.secret);
  const text = tokenText(token);
  for (const other of [
    undefined,
    '',
    'Bearer',
    text,
    `Basic ${text}`,
    `Bearer ${text}x`,
    `Bearer ${text.slice(0, -1)}`,
  ])
    assert.equal(bearer(other), undefined, String(other));
});

test('the digest is SHA-256 (FIPS 180-4, "abc")', () => {
  assert.equal(digest('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a made key is in the file by its hash alone, which only the owner may read', async (t) => {
  const folder = await temporary(t);
  const file = join(folder, 'deep', 'keys.json');
  const { token, key } = await createKey(file, newKey({ days: 2 }), Date.parse('2026-01-01T00:00:00Z'));
  const secret = token.split('.')[1]!;
  assert.equal(key.expires, '2026-01-03T00:00:00.000Z');
  assert.equal(key.sha256, digest(secret));
  assert.deepEqual(await readKeys(file), [key]);
  for (const written of ['keys.json', 'audit.log']) {
    const path = join(folder, 'deep', written);
    assert(!(await readFile(path, 'utf8')).includes(secret), written);
    if (!windows) assert.equal((await stat(path)).mode & 0o777, 0o600, written);
  }
});

test('a key is valid until it expires or is revoked', async (t) => {
  const file = join(await temporary(t), 'keys.json');
  const made = Date.parse('2026-01-01T00:00:00Z');
  const day = 24 * 60 * 60 * 1000;
  const { key } = await createKey(file, newKey({ days: 1 }), made);
  assert.deepEqual([isValid(key, made + day - 1), isValid(key, made + day)], [true, false]);
  const revoked = await revokeKey(file, key.id, made + 5);
  assert.equal(isValid(revoked, made + 6), false);
  assert.deepEqual(await readKeys(file), [revoked]);
  assert.deepEqual(await revokeKey(file, key.id, made + 9), revoked, 'the first revocation stays');
});

test('an unknown id is refused and nothing recorded', async (t) => {
  const file = join(await temporary(t), 'keys.json');
  await createKey(file, newKey());
  const before = await readFile(file, 'utf8');
  await assert.rejects(revokeKey(file, 'nobody'), { code: 'USAGE', message: /there is no key "nobody"/ });
  assert.equal(await readFile(file, 'utf8'), before);
  assert.doesNotMatch(await readFile(AuditLog.beside(file).file, 'utf8'), /revoke/);
});

test('creation and revocation are in the audit log: who, what, when', async (t) => {
  const file = join(await temporary(t), 'keys.json');
  const at = Date.now();
  const { key } = await createKey(file, newKey());
  await revokeKey(file, key.id);
  await revokeKey(file, key.id);
  await AuditLog.beside(file).record('model.replace', { to: 'b' }, { key: key.id });
  const lines = (await readFile(join(file, '../audit.log'), 'utf8')).trim().split('\n');
  const entries = lines.map((line) => JSON.parse(line));
  for (const { time, user, pid } of entries) {
    assert(Date.parse(time) >= at && Date.parse(time) <= Date.now());
    assert.equal(pid, process.pid);
    assert(user.length > 0);
  }
  assert.deepEqual(
    entries.map(({ time: _, user: __, pid: ___, ...what }) => what),
    [
      { action: 'keys.create', id: key.id, name: 'shop', scopes: ['read', 'write'] },
      { action: 'keys.revoke', id: key.id, name: 'shop' },
      { action: 'model.replace', to: 'b', key: key.id },
    ],
  );
});

test('without an audit log there is no key', async (t) => {
  const file = join(await temporary(t), 'keys.json');
  await mkdir(AuditLog.beside(file).file);
  await assert.rejects(createKey(file, newKey()), { code: 'DISK' });
  await assert.rejects(readKeys(file), { code: 'FILE_MISSING' });
});

test('a file that is damaged, missing, or open to others is refused with what to do', async (t) => {
  const file = join(await temporary(t), 'keys.json');
  await assert.rejects(readKeys(file), { code: 'FILE_MISSING', message: /no such file/ });
  for (const text of [
    '',
    '{',
    '[]',
    '{"kind":"keys","formatVersion":2,"keys":[]}',
    '{"kind":"keys","formatVersion":1,"keys":[{"id":"x"}]}',
  ]) {
    await writeFile(file, text, { mode: 0o600 });
    await assert.rejects(readKeys(file), { code: 'KEYS_INVALID', exitCode: 2 }, text);
  }
  await writeFile(file, '{"kind":"keys","formatVersion":1,"keys":[]}');
  for (const [mode, refused] of [
    [0o600, false],
    [0o440, false],
    [0o604, true],
    [0o660, true],
    [0o602, true],
  ] as const) {
    if (windows) continue;
    await chmod(file, mode);
    if (refused) await assert.rejects(readKeys(file), { code: 'SECRETS_EXPOSED', remedy: /chmod 600/ });
    else assert.deepEqual(await readKeys(file), []);
  }
});

test('keys made at the same time by processes that wait for each other are all kept; one that does not is told', async (t) => {
  const file = join(await temporary(t), 'keys.json');
  const results = await Promise.allSettled(Array.from({ length: 4 }, () => createKey(file, newKey())));
  const made = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value.key.id] : []));
  assert(made.length >= 1);
  assert.deepEqual((await readKeys(file)).map(({ id }) => id).sort(), made.sort());
  for (const one of results) if (one.status === 'rejected') assert.equal(one.reason.code, 'OUTPUT_BUSY');
});

test('keys are masked, whole, cut short or encoded, in messages and in fields of the log', () => {
  const text = tokenText(newToken());
  const secret = text.split('.')[1]!;
  for (const quoted of [
    text,
    `"${text}"`,
    `/v1/${text}?a`,
    text.replace('.', '%2E'),
    text.toUpperCase(),
    `rsk_${secret}`,
  ])
    assert(!masked(quoted).toUpperCase().includes(secret.toUpperCase()), quoted);
  assert.equal(masked('a task_id and rs k_1 stay'), 'a task_id and rs k_1 stay');
  const { log: plain, lines } = recordingContext();
  const kept: unknown[] = [];
  maskingLog((level, message, fields) => {
    plain(level, message);
    kept.push(fields);
  })('info', `seen ${text}`, { header: { sent: `Bearer ${text}` }, n: 3 });
  assert.deepEqual(lines, ['info: seen rsk_…']);
  assert.deepEqual(kept, [{ header: { sent: 'Bearer rsk_…' }, n: 3 }]);
});
