import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { writeFileAtomic } from '../../storage/atomic.js';
import { diskError, kindOf } from '../../storage/disk.js';
import { acquireLock } from '../../storage/lock.js';
import { readPrivate } from './private-file.js';

/** What a key may be used for: reading lists and states, sending events, administration. None includes another. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

const time = z.iso.datetime();
const keySchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string().min(1).max(100),
  scopes: z.array(z.enum(SCOPES)).min(1),
  created: time,
  /** From then on it is refused. */
  expires: time.optional(),
  /** When it was revoked. The entry stays, so that the id keeps its meaning in logs. */
  revoked: time.optional(),
  /** SHA-256 of the secret. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type StoredKey = Readonly<z.output<typeof keySchema>>;

const fileSchema = z.strictObject({
  kind: z.literal('keys'),
  formatVersion: z.literal(1),
  keys: z.array(keySchema),
});

/** Whether a key is accepted at `now` (milliseconds since the epoch). */
export const isValid = ({ expires, revoked }: StoredKey, now: number): boolean =>
  revoked === undefined && (expires === undefined || now < Date.parse(expires));

/**
 * The keys of a file.
 * @throws RecsysError FILE_MISSING · SECRETS_EXPOSED · KEYS_INVALID
 */
export async function readKeys(file: string): Promise<StoredKey[]> {
  const text = (await readPrivate(file, 'the key file')).toString('utf8');
  try {
    return fileSchema.parse(JSON.parse(text)).keys;
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const where = issue === undefined ? 'it is not JSON' : `${issue.path.join('.')}: ${issue.message}`;
    throw new RecsysError('KEYS_INVALID', `the key file ${file} is damaged: ${where}`, { cause });
  }
}

/**
 * Changes the keys of a file, all or nothing, mode 0600; a file that is not there has no keys. One process at a time.
 * @throws RecsysError what `readKeys` throws · OUTPUT_BUSY · DISK
 */
export async function changeKeys(
  file: string,
  change: (keys: readonly StoredKey[]) => Promise<readonly StoredKey[]>,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true }).catch((error) => {
    throw diskError(error, dirname(file));
  });
  const lock = await acquireLock(`${file}.lock`, file);
  try {
    const keys = await change((await kindOf(file)) === 'none' ? [] : await readKeys(file));
    const text = JSON.stringify({ kind: 'keys', formatVersion: 1, keys }, null, 2);
    await writeFileAtomic(file, `${text}\n`, 0o600);
  } finally {
    await lock.release();
  }
}
