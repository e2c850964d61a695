import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RecsysError } from '../../errors.js';
import { kindOf, sync } from '../../storage/disk.js';
import type { StageContext } from '../../types.js';
import { ImpressionLog } from '../impressions/log.js';
import type { Impression } from '../impressions/record.js';
import { DISK, type JournalFiles } from '../journal/files.js';
import { repairJournal } from '../journal/repair.js';
import { rewriteRecords } from '../journal/rewrite.js';
import { Journal } from '../journal.js';
import { impressionsPath } from '../state-directory.js';
import { type ClosedJournal, mentionOf, plainMentionOf, removeAsides } from './erased-events.js';

/** Logs that a start found damaged and kept aside. */
const DAMAGED = /^impressions\.damaged-\d+$/;

/**
 * Takes a user's lists out of the logs of impressions of a state directory. Done again, it completes what a killed process began.
 * @param open the log, where the service writes to it; else what an earlier service left is looked at
 * @returns lists of the user in the log
 * @throws RecsysError DISK
 */
export async function eraseImpressions(
  state: string,
  user: string,
  open: ImpressionLog | undefined,
  log: StageContext['log'],
): Promise<number> {
  const directory = impressionsPath(state);
  const erased = open
    ? await open.undisturbed(async () => eraseLists({ directory, segments: await open.closed() }, user))
    : await leftLists(state, log, (closed) => eraseLists(closed, user));
  const mentions = (bytes: Buffer) => bytes.includes(plainMentionOf(user));
  await damagedLists(state, mentions, (closed) => eraseLists(closed, user));
  await sync(state);
  return erased ?? 0;
}

/** Works on the log of impressions that an earlier service left, if there is one. */
export async function leftLists<T>(
  state: string,
  log: StageContext['log'],
  work: (closed: ClosedJournal) => Promise<T>,
): Promise<T | undefined> {
  const directory = impressionsPath(state);
  if ((await kindOf(directory)) !== 'directory') return undefined;
  const retention = { segmentBytes: Number.MAX_SAFE_INTEGER };
  const left = await ImpressionLog.open(directory, { durability: 'always', syncInterval: 0, retention, log });
  try {
    return await work({ directory, segments: await left.closed() });
  } finally {
    await left.close();
  }
}

/** Works on logs that a start found damaged, those with a file that mentions someone. */
export async function damagedLists(
  state: string,
  mentions: (bytes: Buffer) => boolean,
  work: (closed: ClosedJournal) => Promise<unknown>,
): Promise<void> {
  for (const name of await readdir(state))
    if (DAMAGED.test(name)) await workOnDamaged(join(state, name), mentions, work);
}

/**
 * Each list of a user becomes an `erased` record.
 * @returns how many
 */
export async function eraseLists(
  { directory, segments }: ClosedJournal,
  user: string,
  files: JournalFiles = DISK,
): Promise<number> {
  let lists = 0;
  await rewriteRecords(files, directory, segments, mentionOf(user), (_, raw) => {
    if ((raw as Impression).user !== user) return raw;
    lists++;
    return { type: 'erased' };
  });
  await removeAsides(directory, (bytes) => bytes.includes(plainMentionOf(user)), files);
  return lists;
}

/** A damaged log that mentions someone is repaired, so that whole lists stay; what cannot be read goes. */
async function workOnDamaged(
  directory: string,
  mentions: (bytes: Buffer) => boolean,
  work: (closed: ClosedJournal) => Promise<unknown>,
): Promise<void> {
  if (!(await hasMention(directory, mentions))) return;
  try {
    await repairJournal(directory, true);
    const journal = await Journal.open(directory, { segmentBytes: Number.MAX_SAFE_INTEGER });
    try {
      await work({ directory, segments: await journal.seal() });
    } finally {
      await journal.close();
    }
  } catch (error) {
    if (!(error instanceof RecsysError) || error.code !== 'JOURNAL_DAMAGED') throw error;
    await rm(directory, { recursive: true, force: true });
  }
}

async function hasMention(directory: string, mentions: (bytes: Buffer) => boolean): Promise<boolean> {
  for (const name of await DISK.list(directory))
    if (mentions(await DISK.read(join(directory, name)))) return true;
  return false;
}
