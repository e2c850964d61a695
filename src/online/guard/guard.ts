import type { StageContext } from '../../types.js';
import { RankedEvents } from '../checkpoints/ranked-events.js';
import type { Clicks } from '../clicks/clicks.js';
import type { LearnExample, OnlineLearner } from '../learner.js';
import type { ServiceMetrics } from '../metrics.js';
import type { Ranked } from '../prequential.js';
import type { LearnQueue } from '../queue.js';
import type { RecentIds } from '../recent.js';
import { ReplyError } from '../replies.js';
import { type Alert, type AlertKind, Alerts } from './alerts.js';
import { Comparison, saidOf } from './comparison.js';
import type { ControlRecord, PauseReason } from './controls.js';
import { DriftWatch } from './drift.js';
import { type Adaptations, type LastGood, type LearnedState, loadOffsets, offsetsOf } from './learned.js';
import type { LearningState, LearningStateSnapshot } from './learning-state.js';
import { GuardMetrics } from './metrics.js';
import type { GuardConfig } from './schema.js';
import { REFUSALS } from './update-check.js';

export interface GuardOptions {
  readonly config: GuardConfig;
  /** Whether scores are logits of a softmax. */
  readonly readsLogLoss: boolean;
  /** Newest ranked events that are kept. */
  readonly window: number;
  /** Of the catalogue. */
  readonly items: number;
  readonly state: LearningState;
  readonly learner: OnlineLearner;
  readonly adaptations: Adaptations;
  readonly clicks: Clicks | undefined;
  readonly recent: RecentIds;
  readonly good: LastGood | undefined;
  readonly metrics: ServiceMetrics;
  /** Told of every alert. */
  readonly alerted: ((alert: Alert) => void) | undefined;
  /** Whether the service learns at all. */
  readonly enabled: boolean;
  queue(): LearnQueue;
  /** Which journal, and its last record. */
  journal(): { readonly id: string; readonly lastSeq: number; readonly writable: boolean };
  readonly log: StageContext['log'];
}

/** Most event ids in an alert. */
const NAMED = 100;

/**
 * Watches over learning. What it decides is measured, and no function of the journal: so its verdicts are written into the journal before they
 * take effect, and a replay takes them from there.
 */
export class Guard {
  readonly alerts: Alerts;
  private readonly comparison: Comparison;
  private readonly drift: DriftWatch;
  private readonly metrics: GuardMetrics;
  /** Journal record of the last rollback; 0 where there was none. */
  rolledBack = 0;
  /** How the newest events were ranked. */
  readonly ranked: RankedEvents;
  private failing = false;
  /** Said once, until it is fine again. */
  private worse = false;

  constructor(private readonly options: GuardOptions) {
    const { config, readsLogLoss, items } = options;
    this.comparison = new Comparison(config.comparison, readsLogLoss);
    this.ranked = new RankedEvents(options.window);
    this.drift = new DriftWatch(config.drift, items, readsLogLoss);
    const { registry } = options.metrics;
    this.metrics = new GuardMetrics(registry, {
      state: () => this.view.state,
      verdict: () => this.comparison.verdict().state,
      good: () => this.good,
      rollbacks: () => options.state.rollbacks,
      limited: () => options.state.budget.limited,
    });
    this.alerts = new Alerts(options.log, Date.now, (alert) => {
      this.metrics.alerted(alert.kind);
      options.alerted?.(alert);
    });
  }

  /** Position of the last good snapshot, if there is one. */
  get good(): number | undefined {
    return this.options.good?.position(this.options.journal().id);
  }

  /** Whether the service learns, and what stands against it. */
  get view() {
    const { state, enabled, queue } = this.options;
    const { paused, rollbacks } = state;
    return {
      state: enabled ? (paused ? 'paused' : 'learning') : 'off',
      ...paused,
      learned: queue().learned,
      rollbacks,
      good: this.good ?? null,
    } as const;
  }

  /** Whether nothing is known against what has been learned: a snapshot taken now is a good one. */
  get fine(): boolean {
    const { paused } = this.options.state;
    const { state } = this.comparison.verdict();
    const held = state === 'few' || state === 'fine';
    return held && !this.failing && (paused === undefined || paused.reason === 'paused by an operator');
  }

  /** A control record's effect. `learned`: what a rollback goes back to. */
  apply(record: ControlRecord, seq: number, learned?: LearnedState): void {
    const { state, metrics } = this.options;
    state.apply(seq, record);
    if (record.type !== 'pause') {
      this.comparison.reset();
      this.drift.reset();
      this.worse = false;
    }
    if (learned) this.restore(learned);
    if (record.type === 'rollback') this.rolledBack = seq;
    metrics.paused.set(Number(state.paused !== undefined));
  }

  /** Takes up what a snapshot of this journal holds. */
  load(snapshot: LearningStateSnapshot): void {
    const { state, metrics } = this.options;
    state.load(snapshot);
    metrics.paused.set(Number(state.paused !== undefined));
  }

  /** What has been learned. Only between updates. */
  async learned(): Promise<LearnedState> {
    const { learner, adaptations, clicks, queue } = this.options;
    return {
      learner: await learner.snapshot(),
      offsets: offsetsOf(adaptations),
      clicks: clicks?.snapshot(),
      learned: queue().learned,
      begun: queue().begun.count,
      norms: this.options.state.check.snapshot(),
    };
  }

  /** Stops learning until `resume`. Resolves when it has taken effect. */
  pause(reason: PauseReason = 'paused by an operator'): Promise<void> {
    return this.order([{ type: 'pause', reason }]);
  }

  resume(): Promise<void> {
    return this.order([{ type: 'resume' }]);
  }

  /**
   * Takes back what was learned since the last good snapshot. Resolves with its position when that has taken effect.
   * @throws ReplyError CONFLICT where there is none · RecsysError where it cannot be read
   */
  async rollback(): Promise<number> {
    const { good, journal } = this.options;
    const none = () => new ReplyError('CONFLICT', 'there is no good snapshot to go back to');
    if (!good) throw none();
    return good.exclusive(async () => {
      const { id } = journal();
      const to = good.position(id);
      const learned = to === undefined ? undefined : await good.read(id, to);
      if (to === undefined || learned === undefined) throw none();
      await this.order([{ type: 'rollback', to }], learned);
      this.options.log('warn', `what was learned is again what it was at journal record ${to}`);
      return to;
    });
  }

  /** Drops what was measured, which knows users. */
  forget(user: string): void {
    this.options.state.budget.forget(user);
    this.ranked.forget(user);
    this.comparison.reset();
  }

  /** Takes in how an event was ranked before it is learned. */
  watch(example: LearnExample, served: Ranked, frozen: Ranked | undefined): void {
    const { event, seq } = example;
    this.ranked.add(example, served.rank);
    for (const { detector, before, after, since } of this.drift.add(seq, served)) {
      this.metrics.drifted(detector);
      const says = `the loss of what is served rose from ${before.toFixed(3)} to ${after.toFixed(3)}`;
      this.raise('drift', `${detector}: ${says}`, since - 1);
    }
    if (!frozen || !this.comparison.add(event.user, served, frozen)) return;
    const verdict = this.comparison.verdict();
    if (verdict.state === 'fine') this.worse = false;
    if (verdict.state !== 'worse' || this.worse || this.options.state.paused) return;
    this.worse = true;
    this.fail('quality', 'worse than the frozen model', saidOf(verdict));
  }

  /** An update failed in a way that it had better not go on: learning pauses, and what was learned goes back where that is configured. */
  failed(reason: PauseReason, message: string): void {
    this.fail('failure', reason, message);
  }

  /** An update was refused, for a reason of `REFUSALS`. */
  async refused(reason: string): Promise<void> {
    const { learner, state, config } = this.options;
    const broken = reason !== REFUSALS.large && (await learner.finite?.()) === false;
    if (broken)
      this.failed('learning diverged', 'weights are no longer numbers; lower learning.learningRate');
    else if (state.check.refused === config.updates.refusals)
      this.raise(
        'updates',
        `updates were refused, ${state.check.refused} in a row: ${reason}`,
        this.good ?? 0,
      );
  }

  private fail(kind: AlertKind, reason: PauseReason, message: string): void {
    if (this.failing) return;
    const since = this.good ?? 0;
    this.raise(kind, `${reason}: ${message}`, since);
    const { action } = this.options.config;
    if (action === 'alert' && kind !== 'failure') return;
    this.failing = true;
    // In the queue before anything is awaited: the next update already finds it.
    const paused = this.pause(reason);
    void this.after(paused, action === 'rollback').finally(() => {
      this.failing = false;
    });
  }

  private async after(paused: Promise<void>, rollback: boolean): Promise<void> {
    try {
      await paused;
      if (rollback) await this.rollback();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.options.log('warn', `guard: what was learned stays as it is: ${why}`);
    }
  }

  private raise(kind: AlertKind, message: string, since: number): void {
    const { recent, journal } = this.options;
    this.alerts.raise({ kind, message, position: journal().lastSeq, since, ...recent.since(since, NAMED) });
  }

  private order(records: readonly ControlRecord[], learned?: LearnedState): Promise<void> {
    if (!this.options.journal().writable && !this.failing)
      throw new ReplyError('STORAGE', 'the journal cannot be written; nothing was done');
    return this.options.queue().order(records, (record, seq) => {
      this.apply(record, seq, learned);
      if (record.type === 'pause') this.options.log('warn', `learning is paused: ${record.reason}`, { seq });
      if (record.type === 'resume') this.options.log('info', 'learning goes on', { seq });
    });
  }

  private restore({ learner, offsets, clicks, learned, begun, norms }: LearnedState): void {
    this.options.learner.restore(learner, this.options.queue().begun.since(begun));
    loadOffsets(this.options.adaptations, offsets);
    this.options.clicks?.load(clicks);
    this.options.queue().learned = learned;
    this.options.state.check.load(norms);
  }
}
