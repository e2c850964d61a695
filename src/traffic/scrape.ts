import { gauge, readMetrics, select, total } from '../protocol/metrics.js';

/** What `/metrics` of a service says of its learner. */
export interface LearnerState {
  /** Events acknowledged and not yet learned. */
  readonly lag: number;
  /** Events that came out of the learner in this process, learned or skipped. */
  readonly done: number;
}

/** Reads Prometheus text; lag NaN where it is not a service's. Events of unknown items and behaviours never reach the learner. */
export function learnerState(text: string): LearnerState {
  const samples = readMetrics(text);
  const done = select(samples, 'recsys_events_outcome_total').filter(
    ({ labels }) => !labels.reason?.startsWith('unknown'),
  );
  return { lag: gauge(samples, 'recsys_learner_lag_events'), done: total(done) };
}
