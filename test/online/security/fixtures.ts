import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createKey, type NewKey } from '../../../src/online/security/administration.js';
import { KeyRing } from '../../../src/online/security/key-ring.js';
import { securitySchema } from '../../../src/online/security/schema.js';
import type { Security } from '../../../src/online/security/security.js';
import { NOW, recordingContext, temporary } from '../fixtures.js';

export const openssl = spawnSync('openssl', ['version']).status === 0;

/** A self-signed certificate for 127.0.0.1, and its key, as PEM files. */
export function certificate(folder: string, name: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const subject = [
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=IP:127.0.0.1,DNS:localhost',
    '-days',
    '2',
  ];
  const kind = ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync('openssl', [...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { cert, key };
}

export const newKey = (over: Partial<NewKey> = {}): NewKey => ({
  name: 'shop',
  scopes: ['read', 'write'],
  days: undefined,
  ...over,
});

/** Limits as the settings give them. */
export const limits = (over: object = {}): Security['limits'] =>
  securitySchema.parse({ limits: over }).limits;

/** One key a scope, and one of each that is not accepted: the tokens by name, and what `startServer` takes. */
export async function withKeys(t: TestContext, over: object = {}) {
  const file = join(await temporary(t), 'keys.json');
  const token = async (name: string, more: Partial<NewKey> = {}, at = NOW) =>
    (await createKey(file, newKey({ name, ...more }), at)).token;
  const tokens = {
    read: await token('read', { scopes: ['read'] }),
    write: await token('write', { scopes: ['write'] }),
    admin: await token('admin', { scopes: ['admin'] }),
    expired: await token('expired', { days: 1 }, NOW - 2 * 24 * 60 * 60 * 1000),
  };
  const clock = { now: NOW };
  const { lines, log } = recordingContext();
  const keys = await KeyRing.open(file, log, () => clock.now);
  return { file, tokens, clock, lines, security: { keys, limits: limits(over) } satisfies Security };
}

export const bearing = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });
