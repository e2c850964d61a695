import { RecsysError } from '../../errors.js';
import { hint } from '../../nearest.js';
import { AuditLog } from './audit.js';
import { changeKeys, type Scope, type StoredKey } from './keys.js';
import { digest, newToken, tokenText } from './token.js';

export interface NewKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Days until it expires; absent: never. */
  readonly days: number | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Makes a key. The token is given back and kept nowhere. @throws what `changeKeys` and `AuditLog.record` throw */
export async function createKey(
  file: string,
  { name, scopes, days }: NewKey,
  now: number = Date.now(),
): Promise<{ key: StoredKey; token: string }> {
  const token = newToken();
  const key: StoredKey = {
    id: token.id,
    name,
    scopes: [...new Set(scopes)],
    created: new Date(now).toISOString(),
    ...(days === undefined ? {} : { expires: new Date(now + days * DAY_MS).toISOString() }),
    sha256: digest(token.secret),
  };
  await changeKeys(file, async (keys) => {
    const { sha256: _, created: __, ...what } = key;
    await AuditLog.beside(file).record('keys.create', what);
    return [...keys, key];
  });
  return { key, token: tokenText(token) };
}

/**
 * Revokes a key; a revoked one stays as it is.
 * @throws RecsysError USAGE for an unknown id, what `changeKeys` and `AuditLog.record` throw
 */
export async function revokeKey(file: string, id: string, now: number = Date.now()): Promise<StoredKey> {
  let revoked: StoredKey | undefined;
  await changeKeys(file, async (keys) => {
    const key = keys.find((one) => one.id === id);
    if (key === undefined)
      throw new RecsysError(
        'USAGE',
        `there is no key "${id}" in ${file}${hint(
          id,
          keys.map((one) => one.id),
        )}`,
        {
          remedy: 'See `recsys serve-online keys list` for the ids.',
        },
      );
    revoked = key.revoked === undefined ? { ...key, revoked: new Date(now).toISOString() } : key;
    if (key !== revoked) await AuditLog.beside(file).record('keys.revoke', { id, name: key.name });
    return keys.map((one) => (one === key ? revoked! : one));
  });
  return revoked!;
}
