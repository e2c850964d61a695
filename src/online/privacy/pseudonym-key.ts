import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { writeFileAtomic } from '../../storage/atomic.js';
import { diskError, kindOf } from '../../storage/disk.js';
import { AuditLog } from '../security/audit.js';
import { readPrivate } from '../security/private-file.js';
import { newToken } from '../security/token.js';
import { journalPath } from '../state-directory.js';
import { OWN_NAMES, pseudonyms, type UserNames } from './pseudonyms.js';

const fileSchema = z.strictObject({
  kind: z.literal('pseudonym-key'),
  formatVersion: z.literal(1),
  created: z.iso.datetime(),
  /** 256 random bits, base64url. */
  key: z.string().regex(/^[\w-]{43}$/),
});

const invalid = (message: string, remedy?: string, cause?: unknown): RecsysError =>
  new RecsysError('PSEUDONYMS_INVALID', message, { ...(remedy ? { remedy } : {}), cause });

/** What names a key without telling it. */
const fingerprint = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, 12);

/** Makes a key and writes it to a file of its own, mode 0600. @throws RecsysError OUTPUT_EXISTS · DISK */
export async function createPseudonymKey(file: string, now: number = Date.now()): Promise<string> {
  if ((await kindOf(file)) !== 'none')
    throw new RecsysError('OUTPUT_EXISTS', `${file} exists already`, {
      remedy: 'Keep it: without it no user of a service that was given it is found again.',
    });
  await mkdir(dirname(file), { recursive: true }).catch((error) => {
    throw diskError(error, dirname(file));
  });
  const key = newToken().secret;
  const id = fingerprint(Buffer.from(key, 'base64url'));
  const created = new Date(now).toISOString();
  await AuditLog.beside(file).record('keys.pseudonym', { id });
  const content = { kind: 'pseudonym-key', formatVersion: 1, created, key };
  await writeFileAtomic(file, `${JSON.stringify(content, null, 2)}\n`, 0o600);
  return id;
}

/** @throws RecsysError FILE_MISSING · SECRETS_EXPOSED · PSEUDONYMS_INVALID */
async function readKey(file: string): Promise<Buffer> {
  const bytes = await readPrivate(file, 'the pseudonym key');
  try {
    return Buffer.from(fileSchema.parse(JSON.parse(bytes.toString('utf8'))).key, 'base64url');
  } catch {
    // The parser's own words may quote the file.
    throw invalid(
      `${file} is not a pseudonym key`,
      'Make one with `recsys serve-online keys pseudonym <file>`.',
    );
  }
}

/**
 * Under which names a state directory knows its users, from the key file of the settings. The directory remembers which key it was begun with.
 * @throws RecsysError FILE_MISSING · SECRETS_EXPOSED · PSEUDONYMS_INVALID where the file is none, lies in the directory, or is not what it was begun with
 */
export async function openNames(state: string, file: string | undefined): Promise<UserNames> {
  const marker = join(state, 'pseudonyms.json');
  const begun = (await kindOf(marker)) === 'file' ? await readFile(marker, 'utf8') : undefined;
  if (file === undefined) {
    if (begun === undefined) return OWN_NAMES;
    throw invalid(`${state} knows its users by pseudonyms, and no key is given`);
  }
  const key = await readKey(file);
  const [inner, outer] = await Promise.all([realpath(file), realpath(state)]);
  if (inner.startsWith(outer + sep))
    throw invalid(
      `the pseudonym key ${file} lies in the state directory, beside what it is to protect`,
      'Keep it elsewhere, so that a copy of the state directory does not hold it.',
    );
  const text = `${JSON.stringify({ key: fingerprint(key) })}\n`;
  if (begun === text) return pseudonyms(key);
  if (begun !== undefined) throw invalid(`${state} was begun with another pseudonym key than ${file}`);
  if ((await kindOf(journalPath(state))) !== 'none')
    throw invalid(`${state} was begun without pseudonyms: it holds users' own ids`);
  await writeFileAtomic(marker, text);
  return pseudonyms(key);
}
