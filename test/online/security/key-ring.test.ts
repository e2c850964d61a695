import assert from 'node:assert/strict';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createKey, revokeKey } from '../../../src/online/security/administration.js';
import { bearer } from '../../../src/online/security/token.js';
import { bearing, newKey, withKeys } from './fixtures.js';

const tokenOf = (text: string) => bearer(bearing(text).authorization)!;

test('a valid token finds its key; a wrong secret, an unknown id and an expired key find none', async (t) => {
  const { security, tokens } = await withKeys(t);
  const { keys } = security;
  assert.equal((await keys.find(tokenOf(tokens.read)))?.name, 'read');
  const { id, secret } = tokenOf(tokens.read);
  const other = tokenOf(tokens.write);
  for (const wrong of [
    { id, secret: other.secret },
    { id, secret: secret.slice(0, -1) + (secret.endsWith('A') ? 'B' : 'A') },
    { id: '000000000000', secret },
    tokenOf(tokens.expired),
  ])
    assert.equal(await keys.find(wrong), undefined);
  assert.equal(keys.size, 3, 'the expired one is not counted');
});

test('made and revoked keys count within a second, without a restart', async (t) => {
  const { file, security, tokens, clock, lines } = await withKeys(t);
  const { keys } = security;
  const read = tokenOf(tokens.read);
  await revokeKey(file, read.id);
  const made = await createKey(file, newKey({ name: 'late' }));
  assert.equal((await keys.find(read))?.name, 'read', 'not looked at again yet');
  clock.now += 1000;
  const [gone, late] = await Promise.all([keys.find(read), keys.find(tokenOf(made.token))]);
  assert.deepEqual([gone, late?.name], [undefined, 'late']);
  assert.deepEqual(lines, ['info: the key file has changed: 3 keys are valid']);
});

test('a file that is gone, damaged or open to others lets nobody in, until it is put right', async (t) => {
  const { file, security, tokens, clock, lines } = await withKeys(t);
  const read = tokenOf(tokens.read);
  const text = await readFile(file, 'utf8');
  const found = async () => {
    clock.now += 1000;
    return (await security.keys.find(read))?.name;
  };
  const faults: [() => Promise<void>, RegExp][] = [
    [() => rm(file), /no such file/],
    [() => writeFile(file, '{', { mode: 0o600 }), /damaged/],
  ];
  if (process.platform !== 'win32') faults.push([() => chmod(file, 0o644), /mode 644.*chmod 600/]);
  for (const [spoil, said] of faults) {
    await spoil();
    assert.equal(await found(), undefined);
    assert.equal(await found(), undefined);
    assert.match(lines.at(-1)!, said);
    assert.match(lines.at(-1)!, /^warn: no key is valid/);
    await rm(file, { force: true });
    await writeFile(file, text, { mode: 0o600 });
    assert.equal(await found(), 'read');
  }
  assert.equal(lines.length, 2 * faults.length, 'each change is said once');
});
