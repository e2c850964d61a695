import { rm } from 'node:fs/promises';
import { RecsysError } from '../../errors.js';
import { recoverOutput } from '../../storage/atomic.js';
import { type Checkpoint, readCheckpoint } from '../../storage/checkpoint.js';
import { kindOf } from '../../storage/disk.js';
import type { StageContext } from '../../types.js';
import type { Impression } from '../impressions/record.js';
import { DISK, type JournalFiles } from '../journal/files.js';
import { rewriteRecords } from '../journal/rewrite.js';
import { Journal } from '../journal.js';
import type { JournalRecord } from '../records.js';
import { onlineFiles, readOnlineState } from '../snapshot.js';
import { beforePath, goodPath, journalPath, rebuiltPath, snapshotPath } from '../state-directory.js';
import { removeSnapshots } from './disk.js';
import { type ClosedJournal, removeAsides } from './erased-events.js';
import { damagedLists, leftLists } from './erased-impressions.js';
import type { UserNames } from './pseudonyms.js';
import { renamedState, renewedEvent } from './renamed.js';
import { rewriteSnapshot } from './rewritten-snapshot.js';

/** How each record begins that holds a pseudonym, whichever keys made it. */
const MENTION = '"p';

/**
 * Brings a state directory's names of users up to the newest key: in the snapshots, the logs of impressions and the journal. A name says by how many keys
 * it was made, so that whatever a killed process has done already stays as it is when all of it is done again. Before anything else reads the directory.
 * @throws RecsysError JOURNAL_DAMAGED · CHECKPOINT_DAMAGED · DISK
 */
export async function renewNames(state: string, names: UserNames, log: StageContext['log']): Promise<void> {
  try {
    for (const path of [snapshotPath(state), goodPath(state), beforePath(state)]) {
      await recoverOutput(path);
      if ((await kindOf(path)) === 'directory') await renewSnapshot(path, names);
    }
    await rm(rebuiltPath(state), { recursive: true, force: true });
    await removeSnapshots(state, /^(snapshot|good|before|rebuilt)\.\w+$/);
    const lists = (await leftLists(state, log, (closed) => renewRecords(closed, names))) ?? 0;
    await damagedLists(state, mentionsOld(names), (closed) => renewRecords(closed, names));
    const events = await renewJournal(journalPath(state), names);
    log('info', `users are known by the newest pseudonym key: ${events} records and ${lists} lists renamed`);
  } catch (error) {
    if (error instanceof RecsysError)
      log('warn', 'users cannot be renamed to the newest pseudonym key: nothing is served before they are');
    throw error;
  }
}

async function renewJournal(directory: string, names: UserNames): Promise<number> {
  if ((await kindOf(directory)) !== 'directory') return 0;
  const journal = await Journal.open(directory, { segmentBytes: Number.MAX_SAFE_INTEGER });
  try {
    return await renewRecords({ directory, segments: await journal.seal() }, names);
  } finally {
    await journal.close();
  }
}

/**
 * Renames the users of a journal, or of a log of impressions. What was kept aside, and holds old names, goes.
 * @returns in how many records
 */
export async function renewRecords(
  { directory, segments }: ClosedJournal,
  names: UserNames,
  files: JournalFiles = DISK,
): Promise<number> {
  let count = 0;
  await rewriteRecords(files, directory, segments, MENTION, (_, raw) => {
    const record = raw as JournalRecord | Impression;
    if (!('user' in record) || record.user === undefined) return record;
    const user = names.renewed(record.user);
    if (user === record.user) return record;
    count++;
    return record.type === 'event' ? renewedEvent(record, names) : { ...record, user };
  });
  await removeAsides(directory, mentionsOld(names), files);
  return count;
}

/** Whether names of before the newest key stand in a file, or the beginning of one that a write was cut off in. */
function mentionsOld(names: UserNames): (bytes: Buffer) => boolean {
  const newest = `"${names.of('').split('_')[0]}_`;
  return (bytes) => (bytes.toString('latin1').match(/"p\d*_/g) ?? []).some((found) => found !== newest);
}

async function renewSnapshot(path: string, names: UserNames): Promise<void> {
  const checkpoint = await readCheckpoint(path);
  const online = await readOnlineState(checkpoint);
  await rewriteSnapshot(
    path,
    new Map<string, string | Uint8Array>([
      ['vocabulary/users.jsonl', usersOf(checkpoint, names)],
      ...(online ? onlineFiles(renamedState(online, names)) : []),
    ]),
  );
}

const usersOf = ({ catalogue }: Checkpoint, { renewed }: UserNames): string =>
  catalogue.users.map((user) => `${JSON.stringify(renewed(user))}\n`).join('');
