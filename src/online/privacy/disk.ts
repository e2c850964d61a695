import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RecsysError } from '../../errors.js';
import { recoverOutput } from '../../storage/atomic.js';
import { kindOf, sync } from '../../storage/disk.js';
import type { StageContext } from '../../types.js';
import type { Base } from '../checkpoints/base.js';
import type { ImpressionLog } from '../impressions/log.js';
import { Journal } from '../journal.js';
import { readOnlineState } from '../snapshot.js';
import { erasingPath, goodPath, journalPath, snapshotPath } from '../state-directory.js';
import {
  type ClosedJournal,
  erasedNumbers,
  eraseEvents,
  forgetIntent,
  type Intent,
  intentsIn,
} from './erased-events.js';
import { eraseImpressions } from './erased-impressions.js';
import { scrubSnapshot } from './scrub.js';

/** What of a journal a replay can begin with, and where the base checkpoint stands in it: 0, unless it was served from it. */
export interface Reach {
  readonly firstSeq: number;
  readonly base: number;
}

/** Where an erasure does its work. */
export interface ErasureSite {
  /** State directory. */
  readonly state: string;
  readonly closed: ClosedJournal;
  readonly reach: Reach;
  /** The log of impressions, where the service writes to it. */
  readonly impressions?: ImpressionLog | undefined;
  readonly log: StageContext['log'];
}

/** Whether records are gone that a replay from the base would need: then a snapshot is all there is of them. */
export const isCompacted = ({ firstSeq, base }: Reach): boolean => firstSeq > base + 1;

/**
 * Completes an erasure whose record is in the journal. The record says whose it is until nothing else does: whenever the process is killed,
 * the next start can do all of it again.
 * @param held whether more than the journal may hold the user
 * @returns ids of the events, how many lists were logged, and whether anything was held that was learned from: what is served must then be rebuilt
 */
export async function eraseFromDisk(
  intent: Intent,
  { state, closed, reach, impressions, log }: ErasureSite,
  held: boolean,
): Promise<{ readonly ids: ReadonlySet<string>; readonly impressions: number; readonly touched: boolean }> {
  const ids = await eraseEvents(closed, intent);
  const touched = held || ids.size > 0;
  if (touched) {
    await eraseFromSnapshots(state, intent, closed, reach);
    await removeSnapshots(state, /^index(\.\w+)?$/);
  }
  const lists = await eraseImpressions(state, intent.user, impressions, log);
  await forgetIntent(closed, intent);
  return { ids, impressions: lists, touched };
}

/**
 * Takes a user out of the snapshots of a state directory, which hold what was learned of them. Where the journal is whole, these go: the
 * next start replays it from the base. Where it is not they are what the state begins with, and lose what is the user's own.
 */
async function eraseFromSnapshots(
  state: string,
  { user }: Intent,
  closed: ClosedJournal,
  reach: Reach,
): Promise<void> {
  if (!isCompacted(reach)) return removeSnapshots(state, /^(snapshot|good|before)(\.\w+)?$/);
  const erased = await erasedNumbers(closed);
  // Nobody can say any more whose the events are that the journal no longer holds.
  const gone = (seq: number): boolean => seq < reach.firstSeq || erased.has(seq);
  for (const path of [snapshotPath(state), goodPath(state)]) {
    await recoverOutput(path);
    if ((await kindOf(path)) === 'directory') await scrubSnapshot(path, user, gone);
  }
  await removeSnapshots(state, /^((snapshot|good)\.\w+|before(\.\w+)?)$/);
}

/** Removes snapshots by their names. */
export async function removeSnapshots(state: string, named: RegExp): Promise<void> {
  for (const name of await readdir(state)) {
    const path = join(state, name);
    if (!named.test(name) || (await kindOf(path)) !== 'directory') continue;
    await rm(path, { recursive: true, force: true });
  }
  await sync(state);
}

/**
 * Completes erasures that a process was killed amid. Before anything else reads the state directory.
 * @throws RecsysError JOURNAL_DAMAGED · CHECKPOINT_DAMAGED · DISK
 */
export async function finishErasures(
  state: string,
  { checkpoint, eras }: Base,
  log: StageContext['log'],
): Promise<void> {
  if ((await kindOf(erasingPath(state))) === 'none') return;
  const directory = journalPath(state);
  const journal = await Journal.open(directory, { segmentBytes: Number.MAX_SAFE_INTEGER });
  try {
    const closed = { directory, segments: await journal.seal() };
    const online = eras.current.since > 0 ? undefined : await readOnlineState(checkpoint);
    const base = online?.journalId === journal.id ? online.state.position : 0;
    const intents = await intentsIn(closed);
    const reach = { firstSeq: journal.firstSeq, base };
    for (const intent of intents) await eraseFromDisk(intent, { state, closed, reach, log }, true);
    if (intents.length > 0) log('info', `completed ${intents.length} erasures that had been begun`);
    await rm(erasingPath(state), { force: true });
    await sync(state);
  } catch (error) {
    if (error instanceof RecsysError)
      log('warn', 'an erasure that was begun cannot be completed: nothing is served before it is');
    throw error;
  } finally {
    await journal.close();
  }
}
