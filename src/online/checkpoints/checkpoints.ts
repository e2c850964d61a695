import { RecsysError } from '../../errors.js';
import { restoreModel } from '../../model/restore.js';
import { type Checkpoint, readCheckpoint } from '../../storage/checkpoint.js';
import type { StageContext } from '../../types.js';
import { frozenModel } from '../frozen.js';
import type { Generations } from '../rebuild/generations.js';
import { ReplyError } from '../replies.js';
import { readOnlineState } from '../snapshot.js';
import { type CandidateComparison, compareOn } from './comparison.js';
import { checkFits, pathIn } from './fitting.js';
import type { Named } from './record.js';
import { readNamed } from './remembered.js';
import type { CheckpointsConfig } from './schema.js';

export interface CheckpointsOptions {
  readonly generations: Pick<Generations, 'current' | 'takeUp'>;
  readonly config: CheckpointsConfig;
  /** Whether items of the history are in the lists that are compared. */
  readonly includeSeen: boolean;
  /** Names of adapters that are served beside the model. */
  readonly adapters: readonly string[];
  /** Gives a checkpoint's users the names they have inside. */
  renamed(checkpoint: Checkpoint): Checkpoint;
  readonly log: StageContext['log'];
}

export interface Wanted {
  /** From the configured folder, or absolute and in it. */
  readonly path: string;
  /** False: it is compared and no more. */
  readonly swap: boolean;
  /** Whether it is taken up even where it is worse. */
  readonly force: boolean;
}

export interface Taken {
  readonly swapped: boolean;
  /** Why not. */
  readonly reason?: 'served already' | 'worse' | 'not asked for';
  readonly comparison?: CandidateComparison;
}

/** Checkpoints that a running service takes up, one thing after the other. */
export class Checkpoints {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: CheckpointsOptions) {}

  /** What is served, and what was before. */
  get view() {
    const { eras } = this.options.generations.current.base;
    const { before } = eras.current;
    return {
      version: eras.version,
      ...namedOf(eras.current),
      since: eras.since,
      before: before ? namedOf(before) : null,
    };
  }

  /**
   * Loads a checkpoint, compares it with what is served, and has it served unless it is worse.
   * @throws ReplyError CHECKPOINT_REFUSED where it cannot be served · STORAGE · NOT_READY; then what was served still is
   */
  take(wanted: Wanted): Promise<Taken> {
    return this.exclusive(() => this.taken(wanted));
  }

  /** Has the checkpoint served that was before, with what had been learned on it. @throws ReplyError as `take` does */
  back(): Promise<void> {
    return this.exclusive(async () => {
      const { generations, log } = this.options;
      const { current, since } = generations.current.base.eras;
      const { before } = current;
      if (!before) throw new ReplyError('CHECKPOINT_REFUSED', 'there is no checkpoint before');
      const checkpoint = this.options.renamed(await readNamed(before));
      await this.serve(checkpoint, { ...namedOf(before), back: true });
      log(
        'warn',
        `the checkpoint ${current.path}, served since record ${since}, was taken back: serving ${before.path}`,
      );
    });
  }

  private async taken({ path, swap, force }: Wanted): Promise<Taken> {
    const { config, generations, includeSeen, adapters, log } = this.options;
    const { directory, margin } = config;
    if (directory === undefined)
      throw new ReplyError(
        'CHECKPOINT_REFUSED',
        'no folder of checkpoints is configured: set `checkpoints.directory`',
      );
    const checkpoint = this.options.renamed(await readCheckpoint(await pathIn(directory, path)));
    const { service, base } = generations.current;
    if (checkpoint.manifestSha256 === base.eras.current.sha256)
      return { swapped: false, reason: 'served already' };
    if (adapters.length > 0)
      throw new ReplyError(
        'CHECKPOINT_REFUSED',
        `adapters of what is served are beside it (${adapters.join(', ')})`,
      );
    checkFits(checkpoint, service.catalogue);
    await this.checkHistories();
    const model = frozenModel(restoreModel(checkpoint));
    let comparison: CandidateComparison;
    try {
      comparison = await compareOn(
        service.guard.ranked.newest,
        service.catalogue,
        { ...checkpoint, model },
        includeSeen,
      );
    } finally {
      model.dispose();
    }
    if (!swap) return { swapped: false, reason: 'not asked for', comparison };
    if (comparison.difference.high < -margin && !force)
      return { swapped: false, reason: 'worse', comparison };
    await this.serve(checkpoint, { path: checkpoint.path, sha256: checkpoint.manifestSha256 });
    log('info', `serving the checkpoint ${checkpoint.path}`, { since: generations.current.base.eras.since });
    return { swapped: true, comparison };
  }

  /** Histories are made from the journal: it must have all of them. */
  private async checkHistories(): Promise<void> {
    const { service, base } = this.options.generations.current;
    const { first } = service.users.records;
    if (first > 1)
      throw new ReplyError(
        'CHECKPOINT_REFUSED',
        `the journal begins with record ${first}: histories for another checkpoint cannot be made from it. Serve the checkpoint with a fresh state directory, and keep all segments (\`retention\`)`,
      );
    if (base.eras.current.since > 0) return;
    const online = await readOnlineState(base.checkpoint);
    if (online && online.journalId !== service.journalId && online.state.histories.users.length > 0)
      throw new ReplyError(
        'CHECKPOINT_REFUSED',
        'the histories that the service began with are of another journal: they cannot be made again for another checkpoint. Serve the checkpoint with a fresh state directory',
      );
  }

  private serve(checkpoint: Checkpoint, to: Named & { readonly back?: true }): Promise<void> {
    const { generations } = this.options;
    const before = namedOf(generations.current.base.eras.current);
    return generations.takeUp(checkpoint, { type: 'checkpoint', ...to, before });
  }

  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work).catch((error: unknown) => {
      throw asReply(error);
    });
    this.last = next.catch(() => undefined);
    return next;
  }
}

const namedOf = ({ path, sha256 }: Named): Named => ({ path, sha256 });

/** What the catalogue of errors says, to whoever asked. */
function asReply(error: unknown): unknown {
  if (!(error instanceof RecsysError)) return error;
  if (error.code === 'DISK') return new ReplyError('STORAGE', error.message);
  return new ReplyError('CHECKPOINT_REFUSED', `${error.code}: ${error.message}. ${error.remedy}`);
}
