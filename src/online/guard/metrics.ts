import { Counter, Gauge, type Registry } from 'prom-client';
import type { AlertKind } from './alerts.js';
import type { Verdict } from './comparison.js';

/** What the metrics read when they are scraped. */
export interface GuardSources {
  state(): string;
  verdict(): Verdict['state'];
  /** Position of the last good snapshot. */
  good(): number | undefined;
  rollbacks(): number;
  /** Events beyond their users' budget since the start. */
  limited(): number;
}

const STATES = ['learning', 'paused', 'off'];
const VERDICTS: readonly Verdict['state'][] = ['few', 'fine', 'doubtful', 'worse'];

/** What `/metrics` shows of the guard. */
export class GuardMetrics {
  private readonly alerts: Counter<'kind'>;
  private readonly drifts: Counter<'detector'>;

  constructor(registry: Registry, sources: GuardSources) {
    const registers = [registry];
    this.alerts = new Counter({
      name: 'recsys_guard_alerts_total',
      help: 'Alerts since the start',
      labelNames: ['kind'] as const,
      registers,
    });
    this.drifts = new Counter({
      name: 'recsys_guard_drifts_total',
      help: 'Times that events became harder to foretell, by the test that found it',
      labelNames: ['detector'] as const,
      registers,
    });
    const oneOf = (name: string, help: string, values: readonly string[], current: () => string): void => {
      new Gauge({
        name,
        help,
        labelNames: ['state'] as const,
        registers,
        collect() {
          const now = current();
          for (const state of values) this.set({ state }, Number(state === now));
        },
      });
    };
    oneOf(
      'recsys_guard_state',
      '1 for whether the service learns, pauses, or does not learn',
      STATES,
      sources.state,
    );
    oneOf(
      'recsys_guard_verdict',
      '1 for how what is served compares with the frozen model',
      VERDICTS,
      sources.verdict,
    );
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    gauge(
      'recsys_guard_good_position',
      'Journal position of the last good snapshot; −1: none',
      () => sources.good() ?? -1,
    );
    gauge('recsys_guard_rollbacks', 'How often what was learned has been taken back', sources.rollbacks);
    new Counter({
      name: 'recsys_guard_budget_events_total',
      help: 'Events that shared weights did not learn since their user had no budget left',
      registers,
      collect() {
        this.reset();
        this.inc(sources.limited());
      },
    });
  }

  alerted(kind: AlertKind): void {
    this.alerts.inc({ kind });
  }

  drifted(detector: string): void {
    this.drifts.inc({ detector });
  }
}
