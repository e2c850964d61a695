import { rm } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { withOutputDirectory } from '../../storage/atomic.js';
import type { StageContext } from '../../types.js';
import type { JournalFiles } from '../journal/files.js';
import type { ServiceMetrics } from '../metrics.js';
import type { UserData } from '../privacy/user-data.js';
import type { RecommenderService } from '../service.js';
import { writeServed } from '../snapshot.js';
import type { Snapshots } from '../snapshots.js';
import { rebuiltPath, snapshotPath } from '../state-directory.js';
import { sealedFiles } from './sealed-files.js';
import { standIn } from './stand-in.js';

/** A service over the state directory, and what goes with it. */
export interface Generation {
  readonly service: RecommenderService;
  readonly metrics: ServiceMetrics;
  readonly users: UserData;
  readonly snapshots: Snapshots;
}

/** How a service is opened. */
export interface Opening {
  /** Snapshot that it goes on from, if that is there. */
  readonly snapshot: string;
  /** Of one that replays closed segments, and neither learns further nor writes anything: those segments. */
  readonly sealed?: JournalFiles;
  readonly context: StageContext;
}

export interface GenerationsOptions {
  /** State directory. */
  readonly state: string;
  /** Milliseconds without a further erasure before a rebuild begins; undefined: the next start rebuilds. */
  readonly rebuildAfter: number | undefined;
  readonly context: StageContext;
  open(opening: Opening): Promise<Generation>;
}

/** Records that a service which takes over may have left to replay: events wait so long. */
const FEW = 1000;

/**
 * The service that answers, and how another takes its place once users were erased: in the background the journal is replayed without them, again and again
 * from where the last replay ended, until little is left. Then events wait for a moment while the journal changes hands; lists do not.
 */
export class Generations {
  /** What stands for the service that answers, its metrics and users. */
  readonly service = standIn<RecommenderService>(() => this.current.service, {
    accept: () => async (events) => {
      await this.handing;
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
    const { state, context } = options;
    await rm(rebuiltPath(state), { recursive: true, force: true });
    const first = await options.open({ snapshot: snapshotPath(state), context });
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
    const start = performance.now();
    context.log('info', 'rebuilding shared weights without the users that were erased');
    let snapshot = snapshotPath(state);
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      const position = await this.replay(snapshot, signal);
      snapshot = rebuiltPath(state);
      const left = this.current.service.position - position;
      // Events that come as fast as they are replayed would be caught up with never.
      if (left < FEW || left > before / 2) break;
      before = left;
    }
    const old = this.current;
    await old.snapshots.exclusive(async () => {
      if (!signal.aborted) await this.handOver(snapshot);
    });
    if (this.current === old) return;
    const seconds = (performance.now() - start) / 1000;
    context.log('info', 'shared weights are rebuilt: nothing of the users that were erased is in them', {
      seconds,
    });
  }

  /** Brings a snapshot up to the journal's closed segments, as one of its own. @returns its position */
  private async replay(snapshot: string, signal: AbortSignal): Promise<number> {
    const { state, open, context } = this.options;
    const { segments } = await this.current.service.users.closed();
    const log: StageContext['log'] = (level, message, fields) =>
      context.log(level === 'info' ? 'debug' : level, `rebuild: ${message}`, fields);
    const sealed = sealedFiles(segments);
    const { service, snapshots } = await open({ snapshot, sealed, context: { ...context, signal, log } });
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

  private async handOver(snapshot: string): Promise<void> {
    const { state, open, context } = this.options;
    const { current: old, endSnapshots } = this;
    let handed = (): void => undefined;
    this.handing = new Promise((resolve) => {
      handed = resolve;
    });
    try {
      await old.service.handOver();
      // Not to be interrupted: it is a moment's work, and the journal has nobody else.
      const { signal } = new AbortController();
      this.current = await open({ snapshot, context: { ...context, signal } });
    } catch (error) {
      this.break(error);
      throw error;
    } finally {
      this.handing = undefined;
      handed();
    }
    void endSnapshots();
    await this.takeSnapshots();
    await rm(rebuiltPath(state), { recursive: true, force: true });
    await old.service.recommender.answered();
    await old.service.close();
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
