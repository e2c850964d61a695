import { performance } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Prequential } from './prequential.js';

/** How old the arms' quality may be in a scrape, in milliseconds; /v1/quality is always new. */
const QUALITY_MS = 1000;

/** What the gauges read when they are scraped. */
export interface MetricSources {
  lag(): number;
  journalPosition(): number;
  journalWritable(): boolean;
  users(): number;
  readonly prequential: Prequential;
}

/** Everything `/metrics` shows, in a registry of its own (several services may live in one process). */
export class ServiceMetrics {
  readonly registry = new Registry();
  private readonly into = { registers: [this.registry] };

  readonly latency = new Histogram({
    name: 'recsys_http_request_seconds',
    help: 'Time from request to reply, by route and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    ...this.into,
  });
  readonly rejected = new Counter({
    name: 'recsys_http_rejected_total',
    help: 'Requests that were not let in: unauthenticated, forbidden, or rate (too many)',
    labelNames: ['reason'] as const,
    ...this.into,
  });
  readonly received = new Counter({
    name: 'recsys_events_received_total',
    help: 'Events in accepted requests, by result',
    labelNames: ['result'] as const,
    ...this.into,
  });
  readonly outcomes = new Counter({
    name: 'recsys_events_outcome_total',
    help: 'Events by what became of them: learned, or skipped with the reason',
    labelNames: ['outcome', 'reason'] as const,
    ...this.into,
  });
  readonly updateSeconds = new Histogram({
    name: 'recsys_learner_update_seconds',
    help: 'Time of one update, scoring before learning included',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    ...this.into,
  });
  readonly recommendations = new Counter({
    name: 'recsys_recommendations_total',
    help: 'Recommendation lists by how they were made: model or fallback (popularity)',
    labelNames: ['source'] as const,
    ...this.into,
  });
  readonly fallbacks = new Counter({
    name: 'recsys_recommendation_fallbacks_total',
    help: 'Lists that are not the model’s newest, by reason: unknown user, scoring failed, or budget (no scores in time)',
    labelNames: ['reason'] as const,
    ...this.into,
  });
  readonly variants = new Counter({
    name: 'recsys_experiment_lists_total',
    help: 'Lists of users in an experiment, by variant',
    labelNames: ['variant'] as const,
    ...this.into,
  });
  readonly evicted = new Counter({
    name: 'recsys_evicted_total',
    help: 'What had no event for long and was let go of: history or own weights of a user, or an item that came',
    labelNames: ['kind'] as const,
    ...this.into,
  });
  readonly loss = new Gauge({
    name: 'recsys_learner_loss',
    help: 'Loss of the last update before it',
    ...this.into,
  });
  readonly paused = new Gauge({
    name: 'recsys_learner_paused',
    help: '1 while learning is paused',
    ...this.into,
  });
  readonly rebuildDue = new Gauge({
    name: 'recsys_rebuild_due',
    help: '1 where shared weights still know events of users who were erased, and are to be rebuilt',
    ...this.into,
  });
  private readonly model = new Gauge({
    name: 'recsys_model_info',
    help: 'The model served; the value is always 1',
    labelNames: ['model', 'version'] as const,
    ...this.into,
  });

  /** Gauges that read their value from the service when scraped. */
  watch(sources: MetricSources): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        ...this.into,
        collect() {
          this.set(read());
        },
      });
    };
    const { prequential: p } = sources;
    gauge('recsys_learner_lag_events', 'Events acknowledged and not yet learned', sources.lag);
    gauge('recsys_journal_position', 'Number of the last journal record', sources.journalPosition);
    gauge('recsys_journal_writable', '0 while the journal cannot be written and events are refused', () =>
      Number(sources.journalWritable()),
    );
    gauge('recsys_users', 'Users with a history', sources.users);
    gauge('recsys_prequential_events', 'Events ranked before they were learned', () => p.count);
    gauge('recsys_prequential_hr', `HR@${p.k} of the last ${p.window} events`, () => p.values.hr);
    gauge('recsys_prequential_ndcg', `NDCG@${p.k} of the last ${p.window} events`, () => p.values.ndcg);
    gauge('recsys_prequential_hr_all', `HR@${p.k} of all events`, () => p.values.hrAll);
    gauge('recsys_prequential_ndcg_all', `NDCG@${p.k} of all events`, () => p.values.ndcgAll);
    let taken = Number.NEGATIVE_INFINITY;
    new Gauge({
      name: 'recsys_quality',
      help: `Quality of the last ${p.window} events ranked before they were learned, by arm: mean, and ends of its 95 % interval over users`,
      labelNames: ['arm', 'metric', 'bound'] as const,
      ...this.into,
      collect() {
        // Intervals over the whole window take milliseconds: scrapes may come more often than they change by much.
        const now = performance.now();
        if (now - taken < QUALITY_MS) return;
        taken = now;
        for (const { arm, ndcg, hr, logLoss } of p.quality())
          for (const [metric, interval] of Object.entries({ ndcg, hr, log_loss: logLoss }))
            for (const [bound, value] of Object.entries(interval)) this.set({ arm, metric, bound }, value);
      },
    });
    gauge('recsys_process_resident_bytes', 'Resident memory of the process', () => process.memoryUsage.rss());
  }

  setModel(model: string, version: string): void {
    this.model.reset();
    this.model.set({ model, version }, 1);
  }
}
