import { constants } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { withOutputDirectory } from '../../storage/atomic.js';
import type { Checkpoint } from '../../storage/checkpoint.js';
import { kindOf } from '../../storage/disk.js';
import { failpoint } from '../../storage/failpoints.js';
import type { StageContext } from '../../types.js';
import type { Base } from '../checkpoints/base.js';
import { NEXT } from '../checkpoints/eras.js';
import type { CheckpointRecord } from '../checkpoints/record.js';
import { lastNamed, remember } from '../checkpoints/remembered.js';
import type { JournalFiles } from '../journal/files.js';
import type { ServiceMetrics } from '../metrics.js';
import type { UserData } from '../privacy/user-data.js';
import { ReplyError } from '../replies.js';
import type { RecommenderService } from '../service.js';
import { writeServed } from '../snapshot.js';
import type { Snapshots } from '../snapshots.js';
import { beforePath, erasingPath, rebuiltPath, snapshotPath } from '../state-directory.js';
import { sealedFiles } from './sealed-files.js';
import { standIn } from './stand-in.js';

/** A service over the state directory, and what goes with it. */
export interface Generation {
  readonly service: RecommenderService;
  readonly metrics: ServiceMetrics;
  readonly users: UserData;
  readonly snapshots: Snapshots;
  readonly base: Base;
}

/** How a service is opened. */
export interface Opening {
  /** Snapshot that it goes on from, if that is there. */
  readonly snapshot: string;
  /** What it serves. */
  readonly base: Base;
  /** Of one that replays closed segments, and neither learns further nor writes anything: those segments. */
  readonly sealed?: JournalFiles;
  readonly context: StageContext;
}

/** A service made ready, over whose journal another one still writes. */
export interface ReadyService {
  /** Takes up the journal. @param base as the service was made ready for, and where that was for the next record, with it */
  open(base: Base): Promise<Generation>;
  /** Lets go of what was never opened. */
  dispose(): void;
}

export interface GenerationsOptions {
  /** State directory. */
  readonly state: string;
  /** What is served first. */
  readonly base: Base;
  /** Milliseconds without a further erasure before a rebuild begins; undefined: the next start rebuilds. */
  readonly rebuildAfter: number | undefined;
  readonly context: StageContext;
  ready(opening: Opening): Promise<ReadyService>;
}

/** Records that a service which takes over may have left to replay: events wait so long. */
const FEW = 1000;

/**
 * The service that answers, and how another takes its place, once users were erased or to serve another checkpoint: in the background the journal is
 * replayed without them or for that, again and again from where the last replay ended, until little is left. Then events wait for a moment while the journal changes hands;
 * lists do not.
 */
export class Generations {
  /** What stands for the service that answers, its metrics and users. */
  readonly service = standIn<RecommenderService>(() => this.current.service, {
    accept: () => async (events) => {
      while (this.handing) await this.handing;
      return this.current.service.accept(events);
    },
    ready: () => this.handing !== undefined || this.current.service.ready,
  });
  readonly metrics = standIn<ServiceMetrics>(() => this.current.metrics);
  readonly users = standIn<UserData>(() => this.current.users, {
    erase: () => (user) => this.erase(user),
  });
  /** Rejects where the journal was let go of, and no service could be opened over it. */
  readonly broken: Promise<never>;
  private break!: (error: unknown) => void;
  private endSnapshots!: () => Promise<void>;
  private erasing = 0;
  private timer: NodeJS.Timeout | undefined;
  private abort = new AbortController();
  private rebuilding: Promise<void> = Promise.resolve();
  /** Resolves once the journal has another owner. */
  private handing: Promise<void> | undefined;

  private constructor(
    private readonly options: GenerationsOptions,
    public current: Generation,
  ) {
    this.broken = new Promise((_, reject) => {
      this.break = reject;
    });
    this.broken.catch(() => undefined);
  }

  /** Opens the first one, with a snapshot to go back to. */
  static async begin(options: GenerationsOptions): Promise<Generations> {
    const { state, base, context } = options;
    await rm(rebuiltPath(state), { recursive: true, force: true });
    const first = await opened(options, { snapshot: snapshotPath(state), base, context });
    const generations = new Generations(options, first);
    await generations.takeSnapshots();
    return generations;
  }

  /** Ends what is done in the background. */
  async settle(): Promise<void> {
    clearTimeout(this.timer);
    this.abort.abort();
    await this.rebuilding;
  }

  async close(): Promise<void> {
    await this.settle();
    await this.endSnapshots();
    await this.current.service.close();
  }

  /** While a user is erased nothing else may read the journal: what was being rebuilt may know them. */
  private async erase(user: string): ReturnType<UserData['erase']> {
    this.erasing++;
    try {
      await this.settle();
      await rm(rebuiltPath(this.options.state), { recursive: true, force: true });
      return await this.current.users.erase(user);
    } finally {
      this.erasing--;
      if (this.erasing === 0 && this.current.snapshots.suspended) this.schedule();
    }
  }

  /** Whether events of a user who is to be erased are still in the journal: a replay would bring them back. */
  private async erasureOpen(): Promise<boolean> {
    return (await kindOf(erasingPath(this.options.state))) !== 'none';
  }

  private schedule(): void {
    const { rebuildAfter, context } = this.options;
    if (rebuildAfter === undefined || context.signal.aborted) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.abort = new AbortController();
      const { signal } = this.abort;
      this.rebuilding = this.rebuild(signal).catch((error) => {
        if (!signal.aborted)
          context.log('warn', `weights could not be rebuilt, the next start does it: ${String(error)}`);
      });
    }, rebuildAfter).unref();
  }

  private async rebuild(signal: AbortSignal): Promise<void> {
    const { state, context } = this.options;
    if (await this.erasureOpen()) {
      context.log(
        'warn',
        'an erasure is not completed: weights are rebuilt once it is, or at the next start',
      );
      return;
    }
    const start = performance.now();
    context.log('info', 'rebuilding shared weights without the users that were erased');
    const old = this.current;
    const snapshot = await this.caughtUp('rebuild', old.base, snapshotPath(state), signal);
    await old.snapshots.exclusive(async () => {
      if (!signal.aborted) await this.handOver({ snapshot, base: old.base, signal });
    });
    if (this.current === old) return;
    const seconds = (performance.now() - start) / 1000;
    context.log('info', 'shared weights are rebuilt: nothing of the users that were erased is in them', {
      seconds,
    });
  }

  /**
   * Puts another checkpoint in the place of the one served, or with `back` the one before that, with what had been learned on it. Resolves when it answers.
   * @throws ReplyError NOT_READY or CHECKPOINT_REFUSED, RecsysError DISK, and what opening it throws; then what was served still is
   */
  async takeUp(checkpoint: Checkpoint, record: CheckpointRecord): Promise<void> {
    await this.settle();
    if (this.erasing > 0) throw new ReplyError('CHECKPOINT_REFUSED', 'a user is being erased: try again');
    if (await this.erasureOpen())
      throw new ReplyError('CHECKPOINT_REFUSED', 'an erasure is not completed: ask for it again first');
    if (this.options.context.signal.aborted) throw new ReplyError('NOT_READY', 'the service is stopping');
    this.abort = new AbortController();
    const swap = this.swap(checkpoint, record, this.abort.signal);
    this.rebuilding = swap.catch(() => undefined);
    try {
      await swap;
    } finally {
      // It was to be rebuilt, and still is.
      if (this.current.snapshots.suspended) this.schedule();
    }
  }

  private async swap(checkpoint: Checkpoint, record: CheckpointRecord, signal: AbortSignal): Promise<void> {
    const { state } = this.options;
    const { current: old } = this;
    const next: Base = { checkpoint, eras: old.base.eras.after({ ...record, seq: NEXT }) };
    const rebuilt = rebuiltPath(state);
    await rm(rebuilt, { recursive: true, force: true });
    try {
      await old.snapshots.take();
      const from = record.back ? beforePath(state) : rebuilt;
      const snapshot = await this.caughtUp('checkpoint', next, from, signal);
      await old.snapshots.exclusive(async () => {
        signal.throwIfAborted();
        if (!record.back) await this.keepBefore();
        failpoint('checkpoint.replayed');
        await this.handOver({ snapshot, base: next, signal }, record);
      });
    } catch (error) {
      if (!signal.aborted || this.current !== old) throw error;
      throw new ReplyError('CHECKPOINT_REFUSED', 'a user was erased, or the service stopped, meanwhile');
    }
  }

  /** Keeps the newest snapshot as that of the checkpoint before. Where users were erased since there is none. */
  private async keepBefore(): Promise<void> {
    const { state } = this.options;
    if (this.current.snapshots.suspended) return;
    await withOutputDirectory(beforePath(state), { force: true, resume: false }, (into) =>
      cp(snapshotPath(state), into, { recursive: true, mode: constants.COPYFILE_FICLONE }),
    );
  }

  /** Replays what there is, from a snapshot and then from what that came to, until little is left. @returns the last one */
  private async caughtUp(what: string, base: Base, from: string, signal: AbortSignal): Promise<string> {
    let snapshot = from;
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      const position = await this.replay(what, base, snapshot, signal);
      snapshot = rebuiltPath(this.options.state);
      const left = this.current.service.position - position;
      // Events that come as fast as they are replayed would be caught up with never.
      if (left < FEW || left > before / 2) return snapshot;
      before = left;
    }
  }

  /** Brings a snapshot up to the journal's closed segments, as one of its own. @returns its position */
  private async replay(what: string, base: Base, snapshot: string, signal: AbortSignal): Promise<number> {
    const { state, context } = this.options;
    const { segments } = await this.current.service.users.closed();
    const log: StageContext['log'] = (level, message, fields) =>
      context.log(level === 'info' ? 'debug' : level, `${what}: ${message}`, fields);
    const sealed = sealedFiles(segments);
    const opening = { snapshot, base, sealed, context: { ...context, signal, log } };
    const { service, snapshots } = await opened(this.options, opening);
    try {
      const served = await snapshots.served();
      signal.throwIfAborted();
      await withOutputDirectory(rebuiltPath(state), { force: true, resume: false }, (into) =>
        writeServed(into, served),
      );
      return service.position;
    } finally {
      await service.close();
    }
  }

  /**
   * @param next what goes on, made ready before the journal is let go of: that is when `signal` gives it up
   * @param record says that the journal goes on with another checkpoint, where it does
   */
  private async handOver(
    { snapshot, base, signal }: { snapshot: string; base: Base; signal: AbortSignal },
    record?: CheckpointRecord,
  ): Promise<void> {
    const { state, ready, context } = this.options;
    const { current: old, endSnapshots } = this;
    // Not to be interrupted once it has the journal: it is a moment's work, and the journal has nobody else.
    const calm = { ...context, signal: new AbortController().signal };
    const next = await ready({ snapshot, base, context: calm });
    if (signal.aborted) {
      next.dispose();
      signal.throwIfAborted();
    }
    let refused: unknown;
    let handed = (): void => undefined;
    this.handing = new Promise((resolve) => {
      handed = resolve;
    });
    try {
      await old.service.handOver(record).catch((error) => {
        refused = error;
      });
      this.current = await this.takenOver(next, base, record, calm);
      failpoint('checkpoint.opened');
    } catch (error) {
      this.break(error);
      throw error;
    } finally {
      this.handing = undefined;
      handed();
    }
    void endSnapshots();
    await this.remembered();
    await this.takeSnapshots();
    await rm(rebuiltPath(state), { recursive: true, force: true });
    await old.service.recommender.answered();
    await old.service.close();
    if (record && this.current.base.eras === old.base.eras) throw refused;
  }

  /** The journal says what is served, however writing to it ended. */
  private async takenOver(
    next: ReadyService,
    base: Base,
    record: CheckpointRecord | undefined,
    context: StageContext,
  ): Promise<Generation> {
    if (!record) return next.open(base);
    const { state } = this.options;
    const old = this.current.base;
    failpoint('checkpoint.recorded');
    const written = await lastNamed(state, old.eras.since);
    if (written) return next.open({ ...base, eras: old.eras.after(written) });
    next.dispose();
    return opened(this.options, { snapshot: snapshotPath(state), base: old, context });
  }

  /** Before a segment that names it may be deleted. */
  private async remembered(): Promise<void> {
    const { service, base } = this.current;
    const { records } = base.eras;
    if (records.length === 0) return;
    await remember(this.options.state, { journalId: service.journalId, through: base.eras.since, records });
  }

  /** Resolves once there is one to go back to. */
  private takeSnapshots(): Promise<void> {
    return new Promise((begun) => {
      let end = (): void => undefined;
      const ended = this.current.snapshots.during(() => {
        begun();
        return new Promise<void>((resolve) => {
          end = resolve;
        });
      });
      this.endSnapshots = () => {
        end();
        return ended;
      };
    });
  }
}

const opened = async ({ ready }: GenerationsOptions, opening: Opening): Promise<Generation> =>
  (await ready(opening)).open(opening.base);
