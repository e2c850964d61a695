import { performance } from 'node:perf_hooks';
import type { BackendInfo } from '../compute/backend.js';
import type { Dataset } from '../data/dataset.js';
import { withOutputDirectory } from '../storage/atomic.js';
import type { StageContext } from '../types.js';
import type { GoodState } from './guard/good.js';
import type { RetentionConfig } from './schema.js';
import type { RecommenderService } from './service.js';
import { type ServedState, writeServed } from './snapshot.js';
import { snapshotPath } from './state-directory.js';
import { type DataPart, warmedBy } from './warm.js';

const MINUTE_MS = 60_000;
/** Records: a few seconds of a start. */
const LONG_REPLAY = 10_000;

/** What all snapshots of a service have in common. */
export interface SnapshotFacts
  extends Pick<
    ServedState,
    'base' | 'baseId' | 'baseVersion' | 'optimizer' | 'arithmetic' | 'rows' | 'config'
  > {
  readonly data: Dataset | undefined;
  readonly dataPart: DataPart;
  /** State directory. */
  readonly state: string;
  readonly seed: number;
  readonly retention: RetentionConfig;
  /** Where those are copied that nothing is known against. */
  readonly good: GoodState;
  readonly backend: BackendInfo;
  /** Journal position that the service began from; what follows was replayed. */
  readonly from: number;
  /** Hashes of the events that what the service began with had been trained on. */
  readonly trainedBefore: BigUint64Array;
}

/** The snapshots of a running service: each replaces the one before, and then frees the journal segments it covers. */
export class Snapshots {
  /** Journal position of the newest one. The state itself, as large as the model and all users, is not held on to. */
  private written: number | undefined;
  private running: Promise<unknown> | undefined;
  private last: Promise<unknown> = Promise.resolve();
  /** Whether none is taken any more. */
  suspended = false;

  constructor(
    private readonly service: RecommenderService,
    private readonly facts: SnapshotFacts,
    private readonly context: StageContext,
  ) {}

  /**
   * Takes snapshots at the configured times while `work` runs, one before it where there is none to go back to, and one at its beginning where the
   * replay was a long one: a service that is killed again and again would have a longer one each time.
   */
  async during(work: () => Promise<void>): Promise<void> {
    const { good, retention, from } = this.facts;
    if (good.position(this.service.journalId) === undefined) await this.attempt();
    const aside = (): void => {
      if (this.written === this.service.position) return;
      this.running ??= this.attempt().finally(() => {
        this.running = undefined;
      });
    };
    if (this.service.position - from >= LONG_REPLAY) aside();
    const timer = setInterval(aside, retention.snapshotMinutes * MINUTE_MS).unref();
    try {
      await work();
    } finally {
      clearInterval(timer);
      await this.running;
    }
  }

  /** One that fails is logged, and the one before stays. */
  private async attempt(): Promise<void> {
    try {
      await this.take();
    } catch (error) {
      this.context.log('warn', `no snapshot could be taken: ${String(error)}`);
    }
  }

  /** Takes none from now on: what is served is not what the next start will make of the journal. */
  suspend(): void {
    this.suspended = true;
  }

  /** Runs one thing at a time: none is taken, and no segment of the journal deleted, meanwhile. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work);
    this.last = next.catch(() => undefined);
    return next;
  }

  /** What the service is now, written into the state directory unless nothing has happened since the last time. */
  take(): Promise<ServedState> {
    return this.exclusive(() => this.taken());
  }

  /** What the service is now. */
  async served(): Promise<ServedState & { readonly fine: boolean }> {
    const { service, facts } = this;
    const { state, learner, catalogue, good: fine } = await service.snapshot();
    const { count, values } = service.prequential;
    return {
      ...facts,
      journalId: service.journalId,
      data: warmedBy(facts.data, facts.dataPart),
      learner,
      catalogue,
      state,
      metrics: {
        events: count,
        learned: state.queue.learned,
        'hr@10': values.hrAll,
        'ndcg@10': values.ndcgAll,
      },
      trainedEvents: service.trained.merged(facts.trainedBefore),
      fine,
    };
  }

  private async taken(): Promise<ServedState> {
    const { service, facts, context } = this;
    const start = performance.now();
    const { fine, ...served } = await this.served();
    const { state } = served;
    if (this.suspended || this.written === state.position) return served;
    const path = snapshotPath(facts.state);
    await withOutputDirectory(path, { force: true, resume: false }, (into) => writeServed(into, served));
    this.written = state.position;
    if (fine) await this.keep(path, state.position);
    const removed = await service.prune(state.position);
    const seconds = (performance.now() - start) / 1000;
    context.log('info', `snapshot at journal record ${state.position}`, { seconds });
    if (removed > 0) context.log('info', `removed ${removed} journal segments that the snapshot covers`);
    return served;
  }

  /** Makes a snapshot the one to go back to, unless something was taken back since. */
  private async keep(path: string, position: number): Promise<void> {
    const { service, facts, context } = this;
    try {
      await facts.good.exclusive(async () => {
        if (service.guard.rolledBack <= position) await facts.good.take(path, service.journalId, position);
      });
    } catch (error) {
      context.log('warn', `the snapshot could not be kept as the one to go back to: ${String(error)}`);
    }
  }
}
