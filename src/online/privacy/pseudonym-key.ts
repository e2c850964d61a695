import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { writeFileAtomic } from '../../storage/atomic.js';
import { diskError, kindOf } from '../../storage/disk.js';
import { acquireLock } from '../../storage/lock.js';
import type { StageContext } from '../../types.js';
import { AuditLog } from '../security/audit.js';
import { readPrivate } from '../security/private-file.js';
import { newToken } from '../security/token.js';
import { journalPath } from '../state-directory.js';
import { OWN_NAMES, pseudonyms, type UserNames } from './pseudonyms.js';
import { renewNames } from './renewed-names.js';

const keyFields = {
  created: z.iso.datetime(),
  /** 256 random bits, base64url. */
  key: z.string().regex(/^[\w-]{43}$/),
};
const kind = z.literal('pseudonym-key');
const fileSchema = z.union([
  z
    .strictObject({ kind, formatVersion: z.literal(1), ...keyFields })
    .transform(({ created, key }) => ({ keys: [{ created, key }] })),
  z.strictObject({
    kind,
    formatVersion: z.literal(2),
    /** The oldest first. */
    keys: z.array(z.strictObject(keyFields)).min(1),
  }),
]);
type StoredKeys = z.output<typeof fileSchema>['keys'];

const invalid = (message: string, remedy?: string, cause?: unknown): RecsysError =>
  new RecsysError('PSEUDONYMS_INVALID', message, { ...(remedy ? { remedy } : {}), cause });

const bytesOf = (keys: StoredKeys): Buffer[] => keys.map(({ key }) => Buffer.from(key, 'base64url'));

/** What names keys without telling them. */
const fingerprint = (keys: readonly Buffer[]): string =>
  createHash('sha256').update(Buffer.concat(keys)).digest('hex').slice(0, 12);

/** Makes a key and writes it to a file of its own, mode 0600. @throws RecsysError OUTPUT_EXISTS · DISK */
export async function createPseudonymKey(file: string, now: number = Date.now()): Promise<string> {
  if ((await kindOf(file)) !== 'none')
    throw new RecsysError('OUTPUT_EXISTS', `${file} exists already`, {
      remedy: 'Keep it: without it no user of a service that was given it is found again.',
    });
  await mkdir(dirname(file), { recursive: true }).catch((error) => {
    throw diskError(error, dirname(file));
  });
  const one = newKey(now);
  const id = fingerprint(bytesOf([one]));
  await AuditLog.beside(file).record('keys.pseudonym', { id });
  await write(file, { kind: 'pseudonym-key', formatVersion: 1, ...one });
  return id;
}

/**
 * Adds a key to a file. Services that have it rename their users at their next start, and go on as they are until then.
 * @returns what names the keys, and how many there are
 * @throws RecsysError what reading the file throws · OUTPUT_BUSY · DISK
 */
export async function rotatePseudonymKey(
  file: string,
  now: number = Date.now(),
): Promise<{ readonly id: string; readonly keys: number }> {
  await readKeys(file);
  const lock = await acquireLock(`${file}.lock`, file);
  try {
    const keys = [...(await readKeys(file)), newKey(now)];
    const id = fingerprint(bytesOf(keys));
    await AuditLog.beside(file).record('keys.rotate', { id });
    await write(file, { kind: 'pseudonym-key', formatVersion: 2, keys });
    return { id, keys: keys.length };
  } finally {
    await lock.release();
  }
}

const newKey = (now: number): StoredKeys[number] => ({
  created: new Date(now).toISOString(),
  key: newToken().secret,
});

const write = (file: string, content: z.input<typeof fileSchema>): Promise<void> =>
  writeFileAtomic(file, `${JSON.stringify(content, null, 2)}\n`, 0o600);

/** @throws RecsysError FILE_MISSING · SECRETS_EXPOSED · PSEUDONYMS_INVALID */
async function readKeys(file: string): Promise<StoredKeys> {
  const bytes = await readPrivate(file, 'the pseudonym key');
  try {
    return fileSchema.parse(JSON.parse(bytes.toString('utf8'))).keys;
  } catch {
    // The parser's own words may quote the file.
    throw invalid(
      `${file} is not a pseudonym key`,
      'Make one with `recsys serve-online keys pseudonym <file>`.',
    );
  }
}

/** What a state directory remembers: the keys that its users are known by, and whether names of before may still stand in it. */
const markerSchema = z.strictObject({ key: z.string(), renaming: z.literal(true).exactOptional() });

/**
 * Under which names a state directory knows its users, from the key file of the settings. The directory remembers which keys it was begun with; where
 * the file has newer ones, its users are renamed before anything else reads it.
 * @throws RecsysError FILE_MISSING · SECRETS_EXPOSED · PSEUDONYMS_INVALID where the file is none, lies in the directory, or is not what it was begun with ·
 * JOURNAL_DAMAGED · CHECKPOINT_DAMAGED · DISK where users cannot be renamed
 */
export async function openNames(
  state: string,
  file: string | undefined,
  log: StageContext['log'],
): Promise<UserNames> {
  const path = join(state, 'pseudonyms.json');
  const text = (await kindOf(path)) === 'file' ? await readFile(path, 'utf8') : undefined;
  if (file === undefined) {
    if (text === undefined) return OWN_NAMES;
    throw invalid(`${state} knows its users by pseudonyms, and no key is given`);
  }
  const keys = bytesOf(await readKeys(file));
  const [inner, outer] = await Promise.all([realpath(file), realpath(state)]);
  if (inner.startsWith(outer + sep))
    throw invalid(
      `the pseudonym key ${file} lies in the state directory, beside what it is to protect`,
      'Keep it elsewhere, so that a copy of the state directory does not hold it.',
    );
  const names = pseudonyms(keys);
  const key = fingerprint(keys);
  const mark = (marker: z.input<typeof markerSchema>) => writeFileAtomic(path, `${JSON.stringify(marker)}\n`);
  if (text === undefined) {
    if ((await kindOf(journalPath(state))) !== 'none')
      throw invalid(`${state} was begun without pseudonyms: it holds users' own ids`);
    await mark({ key });
    return names;
  }
  const begun = markerOf(text, path);
  if (begun.key === key && !begun.renaming) return names;
  if (!keys.some((_, i) => fingerprint(keys.slice(0, i + 1)) === begun.key))
    throw invalid(`${state} was begun with another pseudonym key than ${file}`);
  // First of all: from now on a file without the newest key is refused.
  await mark({ key, renaming: true });
  await renewNames(state, names, log);
  await mark({ key });
  return names;
}

function markerOf(text: string, path: string): z.output<typeof markerSchema> {
  try {
    return markerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw invalid(
      `${path} does not say by which key users are known`,
      'Restore the state directory from a copy.',
      cause,
    );
  }
}
