import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RecsysError } from '../errors.js';
import { looksWritten, recoverOutput } from '../storage/atomic.js';
import { type Checkpoint, readCheckpoint } from '../storage/checkpoint.js';
import { kindOf } from '../storage/disk.js';
import type { StageContext } from '../types.js';
import type { Base } from './checkpoints/base.js';
import { type OnlineState, readOnlineState } from './snapshot.js';

/** Where a state directory keeps its snapshot. */
export const snapshotPath = (state: string): string => join(state, 'snapshot');

/** Where one is made in the background that knows nothing of users who were erased. */
export const rebuiltPath = (state: string): string => join(state, 'rebuilt');

/** Where it keeps what was last known of the checkpoint served before, with what had been learned on it. */
export const beforePath = (state: string): string => join(state, 'before');

/** Where it keeps the last good one. */
export const goodPath = (state: string): string => join(state, 'good');

/** Where it keeps an index of the items' vectors. */
export const indexPath = (state: string): string => join(state, 'index');

/** Which checkpoints the journal has named so far. */
export const checkpointsPath = (state: string): string => join(state, 'checkpoints.json');

/** Where the journal is. */
export const journalPath = (state: string): string => join(state, 'journal');

/** A file that is there while a user is erased: the journal then holds an intent to complete. */
export const erasingPath = (state: string): string => join(state, 'erasing');

/** Where it keeps the lists that were served. */
export const impressionsPath = (state: string): string => join(state, 'impressions');

/**
 * A service writes files into its state directory that outputs have too (`report.html`): so it is none of theirs.
 * @throws RecsysError OUTPUT_EXISTS where a stage wrote the directory, and no service has kept a journal there
 */
export async function refuseOutput(state: string): Promise<void> {
  if ((await kindOf(state)) !== 'directory' || (await kindOf(journalPath(state))) !== 'none') return;
  if (await looksWritten(state))
    throw new RecsysError('OUTPUT_EXISTS', `${state} is the output of a stage, not a state directory`, {
      remedy: 'Give another directory with --state: one that a service has kept its state in, or a new one.',
    });
}

/** A snapshot of the state directory with its state, where it stands for what is served and this dataset, else the checkpoint itself without. */
export async function newestState(
  state: string,
  { checkpoint, eras }: Base,
  warmed: string | null,
  context: StageContext,
  path = snapshotPath(state),
): Promise<{ source: Checkpoint; online: OnlineState | undefined }> {
  await recoverOutput(path);
  if ((await kindOf(path)) === 'directory') {
    try {
      const snapshot = await readCheckpoint(path);
      const online = await readOnlineState(snapshot);
      const { model, data } = online?.base ?? {};
      if (online && eras.fits(model) && data === warmed) {
        context.log('info', `going on from the snapshot at journal record ${online.state.position}`);
        return { source: snapshot, online };
      }
      context.log(
        'info',
        'the snapshot in the state directory was made from another checkpoint or dataset: not used',
      );
    } catch (error) {
      if (!(error instanceof RecsysError)) throw error;
      // Where the journal was pruned it is all there is: another version, or a person, may still read it.
      const aside = `${path}.unusable`;
      await rm(aside, { recursive: true, force: true });
      await rename(path, aside);
      context.log(
        'warn',
        `the snapshot cannot be used (${error.message}): kept as ${aside}, replaying the journal`,
      );
    }
  }
  return { source: checkpoint, online: undefined };
}
