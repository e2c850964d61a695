import { performance } from 'node:perf_hooks';
import type { StageContext } from '../types.js';
import type { LearnExample, LearnOutcome, OnlineLearner } from './learner.js';
import type { ServiceMetrics } from './metrics.js';
import { type Prequential, rankOf } from './prequential.js';
import type { LearningConfig } from './schema.js';
import type { TrainedEvents } from './trained.js';

export interface LearnQueueOptions {
  readonly learner: OnlineLearner;
  readonly learning: LearningConfig;
  /** Columns of a row of scores: items + 1. */
  readonly columns: number;
  readonly metrics: ServiceMetrics;
  readonly prequential: Prequential;
  readonly trained: TrainedEvents;
  /** Events learned before this process. */
  readonly learned: number;
  readonly log: StageContext['log'];
  /** Journals that everything up to `through` that waits is learned as one update; resolves when durable. */
  boundary(through: number): Promise<unknown>;
}

const RETRY_MS = 1000;

/**
 * Events on their way into the model, in journal order, off the request path. What waits when an update begins goes into
 * it together (at most `learning.batch`), and the journal records the boundary first, so that a replay repeats it.
 */
export class LearnQueue {
  /** Events learned since the base checkpoint. */
  learned: number;
  /** Why learning stopped, if it did. */
  paused: string | undefined;
  private waiting: LearnExample[] = [];
  private busy = 0;
  private held = false;
  private stopping = false;
  private running: Promise<void> | undefined;

  constructor(private readonly options: LearnQueueOptions) {
    this.learned = options.learned;
  }

  get lag(): number {
    return this.waiting.length + this.busy;
  }

  push(example: LearnExample): void {
    this.waiting.push(example);
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

  /** Learns as one update what waits up to number `through`: a boundary read from the journal. */
  async replay(through: number): Promise<void> {
    const count = this.waiting.findIndex((example) => example.seq > through);
    await this.update(this.waiting.splice(0, count < 0 ? this.waiting.length : count), false);
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
    if (this.held || this.stopping || this.running || this.waiting.length === 0) return;
    this.running = this.run().finally(() => {
      this.running = undefined;
      this.wake();
    });
  }

  private async run(): Promise<void> {
    // Let the acknowledgement go out before the thread is busy with an update.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, this.options.learning.batch);
      try {
        await this.options.boundary(batch.at(-1)!.seq);
      } catch {
        // The disk is full: learning waits with the events until the boundary can be recorded, or the service stops.
        if (this.stopping) return;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      this.waiting.splice(0, batch.length);
      this.busy = batch.length;
      await this.update(batch, true);
      this.busy = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async update(batch: readonly LearnExample[], measure: boolean): Promise<void> {
    if (batch.length === 0) return;
    const { learning, metrics, log } = this.options;
    const start = performance.now();
    const wanted = batch.filter((example) => example.weight > 0);
    this.count('skipped', 'weight 0', batch.length - wanted.length);
    const off = learning.enabled ? this.paused : 'learning is off';
    if (off !== undefined) this.count('skipped', off, wanted.length);
    try {
      if (measure) await this.measure(batch);
      if (off === undefined && wanted.length > 0) await this.learn(wanted);
    } catch (error) {
      // A bug must not take the recommendations down with it.
      this.pause('learning failed', error instanceof Error ? (error.stack ?? error.message) : String(error));
      log('warn', 'serving goes on with the model as it is; please report the lines above');
    }
    metrics.updateSeconds.observe((performance.now() - start) / 1000);
  }

  private async learn(wanted: readonly LearnExample[]): Promise<void> {
    const { learner, trained } = this.options;
    const outcomes = await learner.learn(wanted);
    for (const outcome of outcomes) this.settle(outcome);
    trained.add(wanted.filter((_, i) => outcomes[i]?.status === 'learned').map(({ event }) => event));
    if (outcomes.some((o) => o.status === 'learned' && !Number.isFinite(o.loss))) {
      this.pause('learning diverged', 'the loss is no longer a number; lower learning.learningRate');
    }
  }

  private pause(reason: string, detail: string): void {
    this.paused = reason;
    this.options.metrics.paused.set(1);
    this.options.log('warn', `learning is paused: ${reason}: ${detail}`);
  }

  /** Ranks each event's item as the user's list stood before the event. Items already seen are not in that list. */
  private async measure(batch: readonly LearnExample[]): Promise<void> {
    const { learner, columns, prequential } = this.options;
    const asked = batch.filter(({ query, item }) => !query.items.includes(item));
    if (asked.length === 0) return;
    const scores = await learner.score(asked.map(({ query }) => query));
    for (const [i, { query, item }] of asked.entries()) {
      prequential.record(rankOf(scores, i * columns, columns, item, new Set(query.items)));
    }
  }

  private settle(outcome: LearnOutcome): void {
    if (outcome.status === 'skipped') {
      this.count('skipped', outcome.reason, 1);
      return;
    }
    this.learned++;
    this.count('learned', '', 1);
    this.options.metrics.loss.set(outcome.loss);
  }

  private count(outcome: 'learned' | 'skipped', reason: string, n: number): void {
    if (n > 0) this.options.metrics.outcomes.inc({ outcome, reason }, n);
  }
}
