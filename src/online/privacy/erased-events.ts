import { join } from 'node:path';
import { DISK, type JournalFiles } from '../journal/files.js';
import { recordsMentioning, rewriteRecords } from '../journal/rewrite.js';
import type { Segment } from '../journal/segments.js';
import type { JournalRecord } from '../records.js';
import { ERASED } from './erasure-records.js';

/** The journal's files, all records so far in closed segments. */
export interface ClosedJournal {
  readonly directory: string;
  readonly segments: readonly Segment[];
}

/** An erasure that was begun: of whom, and by which record. */
export interface Intent {
  readonly user: string;
  readonly seq: number;
}

/** Erasures whose records still name a user, oldest first. */
export async function intentsIn({ segments }: ClosedJournal, files: JournalFiles = DISK): Promise<Intent[]> {
  const intents: Intent[] = [];
  for await (const [seq, raw] of recordsMentioning(files, segments, '"erase"')) {
    const record = raw as JournalRecord;
    if (record.type === 'erase' && record.user !== undefined) intents.push({ user: record.user, seq });
  }
  return intents;
}

/** How a record names its user. */
export const mentionOf = (user: string): string => `"user":${JSON.stringify(user)}`;

/** How a user's id stands in any record. */
export const plainMentionOf = (user: string): string => JSON.stringify(user).slice(1, -1);

/**
 * Takes a user's events out of a journal: each of before the erasure's record becomes an `erased` one.
 * @returns ids of the events
 */
export async function eraseEvents(
  { directory, segments }: ClosedJournal,
  { user, seq: through }: Intent,
  files: JournalFiles = DISK,
): Promise<Set<string>> {
  const ids = new Set<string>();
  await rewriteRecords(files, directory, segments, mentionOf(user), (seq, raw) => {
    const record = raw as JournalRecord;
    if (seq > through || record.type !== 'event' || record.user !== user) return record;
    ids.add(record.id);
    return { type: 'erased' };
  });
  await removeAsides(directory, (bytes) => bytes.includes(plainMentionOf(user)), files);
  return ids;
}

/** An erasure is complete: its record, and earlier ones of the same user, no longer say whose it was. */
export async function forgetIntent(
  { directory, segments }: ClosedJournal,
  { user, seq: through }: Intent,
  files: JournalFiles = DISK,
): Promise<void> {
  await rewriteRecords(files, directory, segments, mentionOf(user), (seq, raw) => {
    const record = raw as JournalRecord;
    return seq <= through && record.type === 'erase' && record.user === user ? { type: 'erase' } : record;
  });
}

/** What a repair or a start kept beside the segments, and drafts of killed processes: those that mention someone. */
export async function removeAsides(
  directory: string,
  mentions: (bytes: Buffer) => boolean,
  files: JournalFiles,
): Promise<void> {
  for (const name of await files.list(directory)) {
    if (!/\.(cut-\d+|damaged(-\d+)?|tmp)$/.test(name)) continue;
    const path = join(directory, name);
    if (mentions(await files.read(path))) await files.remove(path);
  }
  await files.syncDirectory(directory);
}

/** Numbers of all events that have been erased. */
export async function erasedNumbers(
  { segments }: ClosedJournal,
  files: JournalFiles = DISK,
): Promise<Set<number>> {
  const numbers = new Set<number>();
  for await (const [seq, raw] of recordsMentioning(files, segments, `"${ERASED}"`))
    if ((raw as JournalRecord).type === 'erased') numbers.add(seq);
  return numbers;
}
