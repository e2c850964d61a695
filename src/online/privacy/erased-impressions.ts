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
  let lists = 0;
  if (open) {
    lists = await open.undisturbed(async () =>
      eraseLists({ directory, segments: await open.closed() }, user),
    );
  } else if ((await kindOf(directory)) === 'directory') {
    const retention = { segmentBytes: Number.MAX_SAFE_INTEGER };
    const left = await ImpressionLog.open(directory, {
      durability: 'always',
      syncInterval: 0,
      retention,
      log,
    });
    try {
      lists = await eraseLists({ directory, segments: await left.closed() }, user);
    } finally {
      await left.close();
    }
  }
  for (const name of await readdir(state))
    if (DAMAGED.test(name)) await eraseFromDamaged(join(state, name), user);
  await sync(state);
  return lists;
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
  await removeAsides(directory, user, files);
  return lists;
}

/** A damaged log that mentions the user is repaired, so that whole lists of others stay; what cannot be read, and mentions the user, goes. */
async function eraseFromDamaged(directory: string, user: string): Promise<void> {
  if (!(await mentions(directory, user))) return;
  try {
    await repairJournal(directory, true);
    const journal = await Journal.open(directory, { segmentBytes: Number.MAX_SAFE_INTEGER });
    try {
      await eraseLists({ directory, segments: await journal.seal() }, user);
    } finally {
      await journal.close();
    }
  } catch (error) {
    if (!(error instanceof RecsysError) || error.code !== 'JOURNAL_DAMAGED') throw error;
    await rm(directory, { recursive: true, force: true });
  }
}

async function mentions(directory: string, user: string): Promise<boolean> {
  for (const name of await DISK.list(directory))
    if ((await DISK.read(join(directory, name))).includes(plainMentionOf(user))) return true;
  return false;
}
