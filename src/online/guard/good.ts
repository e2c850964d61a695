import { constants } from 'node:fs';
import { cp } from 'node:fs/promises';
import { RecsysError } from '../../errors.js';
import { recoverOutput, withOutputDirectory } from '../../storage/atomic.js';
import { type Checkpoint, readCheckpoint } from '../../storage/checkpoint.js';
import { kindOf } from '../../storage/disk.js';
import type { StageContext, TensorMap } from '../../types.js';
import { timesOf } from '../begun-rows.js';
import type { Eras } from '../checkpoints/eras.js';
import { type OnlineState, readOnlineState } from '../snapshot.js';
import type { LastGood, LearnedState } from './learned.js';

/** What a snapshot must have been made from to stand for a position of this service. */
export interface GoodFacts {
  readonly base: Eras;
  /** What histories began with. */
  readonly data: string | null;
  readonly optimizer: string;
  /** How the learner computes: in another way a replay would not come to the same. */
  readonly arithmetic: string;
  /** Rows of items of the model served, free ones too. */
  readonly rows: number;
}

/** The last good snapshot as a copy of its own on the disk. */
export class GoodState implements LastGood {
  private last: Promise<unknown> = Promise.resolve();
  private held: { readonly journalId: string; readonly position: number } | undefined;

  private constructor(
    private readonly path: string,
    private readonly facts: GoodFacts,
  ) {}

  static async open(path: string, facts: GoodFacts, log: StageContext['log']): Promise<GoodState> {
    const good = new GoodState(path, facts);
    await recoverOutput(path);
    if ((await kindOf(path)) !== 'directory') return good;
    try {
      const found = await good.load();
      good.held = found && { journalId: found.online.journalId, position: found.online.state.position };
    } catch (error) {
      if (!(error instanceof RecsysError)) throw error;
      log('warn', `the last good snapshot cannot be used (${error.message})`);
    }
    return good;
  }

  position(journalId: string): number | undefined {
    return this.held?.journalId === journalId ? this.held.position : undefined;
  }

  async read(journalId: string, position: number): Promise<LearnedState | undefined> {
    if (this.position(journalId) !== position) return undefined;
    const found = await this.load();
    if (found?.online.state.position !== position) return undefined;
    const { state, optimizerState: optimizer, introduced } = found.online;
    return {
      learner: { parameters: found.checkpoint.tensors as TensorMap, optimizer, introduced },
      offsets: state.offsets,
      clicks: state.clicks,
      learned: state.queue.learned,
      begun: timesOf(state.queue.begun),
      norms: state.learning.norms,
    };
  }

  /** Makes a copy of a snapshot the last good one. */
  async take(snapshot: string, journalId: string, position: number): Promise<void> {
    await withOutputDirectory(this.path, { force: true, resume: false }, (into) =>
      cp(snapshot, into, { recursive: true, mode: constants.COPYFILE_FICLONE }),
    );
    this.held = { journalId, position };
  }

  /** Nothing is there to go back to, until the next one is taken. */
  forget(): void {
    this.held = undefined;
  }

  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work);
    this.last = next.catch(() => undefined);
    return next;
  }

  private async load(): Promise<{ checkpoint: Checkpoint; online: OnlineState } | undefined> {
    const checkpoint = await readCheckpoint(this.path);
    const online = await readOnlineState(checkpoint);
    const { base, data, optimizer, arithmetic, rows } = this.facts;
    const own =
      online !== undefined &&
      base.fits(online.base.model) &&
      online.base.data === data &&
      online.optimizer === optimizer &&
      online.arithmetic === arithmetic &&
      online.rows === rows;
    return own ? { checkpoint, online } : undefined;
  }
}
