import { performance } from 'node:perf_hooks';
import { failpoint } from '../storage/failpoints.js';
import type { StageContext } from '../types.js';
import type { Arms } from './arms.js';
import { BegunRows } from './begun-rows.js';
import type { Clicks } from './clicks/clicks.js';
import { Dispositions, sameOutcome } from './dispositions.js';
import type { ControlRecord, PauseReason } from './guard/controls.js';
import type { LearningState } from './guard/learning-state.js';
import { OVER_BUDGET } from './guard/user-budget.js';
import type { LearnExample, LearnOutcome, OnlineLearner } from './learner.js';
import type { ServiceMetrics } from './metrics.js';
import { ERASED, type EraseRecord } from './privacy/erasure-records.js';
import type { JournalRecord, OutcomeRecord } from './records.js';
import { ReplyError } from './replies.js';
import type { LearningConfig } from './schema.js';
import { without } from './security/mask.js';
import type { TrainedEvents } from './trained.js';
import { turn } from './turn.js';
import type { UserAdaptation } from './user-adaptation.js';
import type { QueueState, WaitingEvent } from './waiting.js';

export interface LearnQueueOptions {
  readonly learner: OnlineLearner;
  readonly learning: LearningConfig;
  readonly metrics: ServiceMetrics;
  readonly arms: Arms;
  /** What is learned of each user, where that is done. */
  readonly adaptation: UserAdaptation | undefined;
  /** The click model, where there is one. */
  readonly clicks: Clicks | undefined;
  readonly trained: TrainedEvents;
  readonly log: StageContext['log'];
  /** What the journal says of learning itself. */
  readonly state: LearningState;
  /** Told of updates that fail, or are refused. */
  readonly guard: {
    failed(reason: PauseReason, detail: string): void;
    refused(reason: string): Promise<void>;
  };
  /** Journals records; resolves with the first one's number when they are durable. */
  journal(records: readonly JournalRecord[]): Promise<number>;
}

const RETRY_MS = 1000;
/** Updates whose boundaries are recorded together: each record waits for the disk, and updates of many events a second would wait for nothing else. */
const ROUND = 4;

/** Control records that wait to be written, and then take effect together. */
interface Order<R = ControlRecord | EraseRecord> {
  readonly records: readonly R[];
  readonly effect: (record: R, seq: number) => void;
  readonly done: () => void;
  readonly refused: (error: unknown) => void;
}

/** Turns between two updates: a request is read in one, its list scored in the next, and the answer sent in a third. */
const TURNS = 3;

/**
 * Events on their way into the model, in journal order, off the request path. What waits when a round begins goes into its updates (at most
 * `learning.batch` into each, and `ROUND` updates), and the journal records their boundaries first, so that a replay repeats them. What became of the
 * events is recorded with the next boundaries, or once nothing waits.
 */
export class LearnQueue {
  /** Events learned since the base checkpoint. */
  learned = 0;
  /** Rows that have become another item's, and which of all times that was last. */
  readonly begun = new BegunRows();
  private waiting: WaitingEvent[] = [];
  private unrecorded: OutcomeRecord[] = [];
  private readonly errands: (() => Promise<void>)[] = [];
  private orders: Order[] = [];
  private busy = 0;
  private held = false;
  private stopping = false;
  private running: Promise<void> | undefined;

  constructor(private readonly options: LearnQueueOptions) {}

  get lag(): number {
    return this.waiting.length + this.busy;
  }

  /** Whether every event has gone through an update, and the journal says what became of it. */
  get settled(): boolean {
    return this.lag === 0 && this.unrecorded.length === 0 && this.orders.length === 0;
  }

  push(event: WaitingEvent): void {
    this.waiting.push(event);
    this.wake();
  }

  /** Stops taking events by itself, for a replay. */
  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    this.wake();
  }

  /**
   * Learns as one update what waits up to number `through`: a boundary read from the journal.
   * @param shared false: users' own weights learn it, and those that all share do not, which were others then
   */
  async replay(through: number, shared = true): Promise<void> {
    const count = this.waiting.findIndex((event) => event.seq > through);
    await this.update(this.waiting.splice(0, count < 0 ? this.waiting.length : count), false, shared);
  }

  /** Compares an outcome read from the journal with what the replay came to. @returns whether they agree */
  confirm(recorded: OutcomeRecord): boolean {
    // Where a repair of the journal lost an outcome, the later ones still speak of their own updates.
    this.unrecorded = this.unrecorded.filter(({ through }) => through >= recorded.through);
    if (this.unrecorded[0]?.through !== recorded.through) return false;
    return sameOutcome(this.unrecorded.shift()!, recorded);
  }

  /** What a snapshot must hold of the queue. Only between updates. */
  state(): QueueState {
    const { learned, waiting, unrecorded, begun } = this;
    return { learned, waiting: [...waiting], unrecorded: [...unrecorded], begun: begun.snapshot() };
  }

  /** Puts back what `state` gave. Before the first event. */
  restore({ learned, waiting, unrecorded, begun }: QueueState): void {
    this.begun.load(begun);
    this.learned = learned;
    this.waiting = [...waiting];
    this.unrecorded = [...unrecorded];
  }

  /** Runs `work` when no update is under way; none begins before it has ended. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.errands.push(() => work().then(resolve, reject));
      this.wake();
    });
  }

  /** Journals control records between two updates; then `effect` is called for each. Rejects where the service stops before. */
  order<R extends ControlRecord | EraseRecord>(
    records: readonly R[],
    effect: (record: R, seq: number) => void,
  ): Promise<void> {
    if (this.stopping) return Promise.reject(new ReplyError('NOT_READY', 'the service is stopping'));
    return new Promise((done, refused) => {
      this.orders.push({ records, effect: effect as Order['effect'], done, refused });
      this.wake();
    });
  }

  /** Events of a user that wait become what stands for erased ones. */
  forget(user: string): void {
    this.waiting = this.waiting.map((one) =>
      ('event' in one ? one.event.user : one.user) === user
        ? { seq: one.seq, reason: ERASED, user: '' }
        : one,
    );
  }

  /** Learns what waits, unless that cannot be recorded: then it stays in the journal for the next start. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.running;
  }

  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  private wake(): void {
    if (this.running) return;
    if (this.errands.length === 0 && (this.held || this.stopping || this.settled)) return;
    this.running = this.run().finally(() => {
      this.running = undefined;
      this.wake();
    });
  }

  private async run(): Promise<void> {
    // Let the acknowledgement go out before the thread is busy with an update.
    await turn();
    for (;;) {
      for (const errand of this.errands.splice(0)) await errand();
      if (this.held || this.settled) return;
      const batches = this.round();
      const boundaries = batches.map((batch) => ({ type: 'learn', through: batch.at(-1)!.seq }) as const);
      const orders = [...this.orders];
      let seq: number;
      try {
        const controls = orders.flatMap(({ records }) => records);
        seq = await this.options.journal([...this.unrecorded, ...controls, ...boundaries]);
      } catch (error) {
        // The disk is full: learning waits with the events until the boundary can be recorded, or the service stops.
        if (this.stopping) {
          for (const order of this.orders.splice(0)) order.refused(error);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      seq += this.unrecorded.length;
      this.unrecorded = [];
      this.orders.splice(0, orders.length);
      for (const { records, effect, done } of orders) {
        for (const record of records) effect(record, seq++);
        done();
      }
      failpoint('learn.recorded');
      for (const { length } of batches) {
        // Not the batch itself: an erasure among the orders has changed what waits.
        const taken = this.waiting.splice(0, length);
        this.busy = taken.length;
        await this.update(taken, true);
        failpoint('learn.updated');
        this.busy = 0;
        for (let n = 0; n < TURNS; n++) await turn();
      }
    }
  }

  /** What waits, by updates. */
  private round(): readonly (readonly WaitingEvent[])[] {
    const { batch } = this.options.learning;
    const waiting = this.waiting.slice(0, ROUND * batch);
    return Array.from({ length: Math.ceil(waiting.length / batch) }, (_, n) =>
      waiting.slice(n * batch, (n + 1) * batch),
    );
  }

  private async update(batch: readonly WaitingEvent[], measure: boolean, teach = true): Promise<void> {
    if (batch.length === 0) return;
    const { learning, metrics, log, arms, state, clicks } = this.options;
    const start = performance.now();
    const ended = new Dispositions();
    const known = batch.filter((event) => 'event' in event);
    for (const event of batch) if ('reason' in event) ended.skip(event.reason, event.seq);
    const off = learning.enabled ? state.paused?.reason : 'learning is off';
    const wanted = known.filter(({ seq, weight }) => {
      const reason = weight > 0 ? off : 'weight 0';
      if (reason !== undefined) ended.skip(reason, seq);
      return reason === undefined;
    });
    const labelled = state.paused ? [] : (clicks?.labelled(known) ?? []);
    const taught = new Set([...wanted, ...labelled]);
    // An event counts once, whichever weights it moves.
    const within = new Set(known.filter((one) => taught.has(one) && state.budget.take(one.event.user)));
    const shared = wanted.filter((one) => {
      if (!within.has(one)) ended.skip(OVER_BUDGET, one.seq);
      return within.has(one);
    });
    if (measure) await arms.measure(batch);
    try {
      await this.restart(known);
      await arms.learn(batch, wanted);
      const gone = wanted.length > 0 && (await this.options.adaptation?.learn(wanted));
      if (gone) metrics.evicted.inc({ kind: 'weights' }, gone);
      clicks?.learn(
        labelled.filter((one) => within.has(one)),
        measure,
      );
      if (shared.length > 0 && teach) await this.learn(shared, ended, measure);
    } catch (error) {
      // A bug must not take the recommendations down with it.
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const events = known.map(({ event: { behaviour: _, ...told } }) => Object.values(told));
      log('warn', `an update failed: ${without(what, events)}`);
      log('warn', 'serving goes on with the model as it is; please report the lines above');
      // In a replay the journal says what followed.
      if (measure) this.options.guard.failed('learning failed', 'an update failed inside the service');
      for (const { seq } of shared) ended.skip('learning failed', seq);
    }
    this.unrecorded.push(ended.record(batch.at(-1)!.seq));
    for (const [reason, seqs] of ended.reasons) this.count('skipped', reason, seqs.length);
    metrics.updateSeconds.observe((performance.now() - start) / 1000);
  }

  /** Lets go of what is known of rows that have become other items'. */
  private async restart(known: readonly LearnExample[]): Promise<void> {
    const items = known.flatMap(({ item: row, begins, event }) => (begins ? [{ row, id: event.item }] : []));
    if (items.length === 0) return;
    this.begun.add(items.map(({ row }) => row));
    this.options.arms.restart(items.map(({ row }) => row));
    this.options.adaptation?.restart(items.map(({ row }) => row));
    await this.options.learner.restart?.(items);
  }

  private async learn(shared: readonly LearnExample[], ended: Dispositions, live: boolean): Promise<void> {
    const { learner, trained, metrics, state, guard } = this.options;
    let refused: string | undefined;
    let outcomes = await learner.learn(shared, (update) => {
      refused = state.check.judge(update);
      return refused;
    });
    if (live && refused !== undefined) await guard.refused(refused);
    // One event must not keep those from being learned that share its update.
    if (refused !== undefined && shared.length > 1) outcomes = await this.oneByOne(shared, live);
    let learned = 0;
    for (const [i, example] of shared.entries()) {
      const outcome = outcomes[i]!;
      if (outcome.status === 'skipped') {
        ended.skip(outcome.reason, example.seq);
        continue;
      }
      learned++;
      trained.add(example.event);
      metrics.loss.set(outcome.loss);
    }
    this.learned += learned;
    this.count('learned', '', learned);
    const diverged = outcomes.some((o: LearnOutcome) => o.status === 'learned' && !Number.isFinite(o.loss));
    if (live && diverged)
      guard.failed('learning diverged', 'the loss is no longer a number; lower learning.learningRate');
  }

  private async oneByOne(shared: readonly LearnExample[], live: boolean): Promise<LearnOutcome[]> {
    const { learner, state } = this.options;
    const outcomes: LearnOutcome[] = [];
    for (const one of shared) {
      if (live) await turn();
      outcomes.push(...(await learner.learn([one], (update) => state.check.reason(update))));
    }
    return outcomes;
  }

  private count(outcome: 'learned' | 'skipped', reason: string, n: number): void {
    if (n > 0) this.options.metrics.outcomes.inc({ outcome, reason }, n);
  }
}
