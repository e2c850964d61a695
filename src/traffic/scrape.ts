/** What `/metrics` of a service says of its learner. */
export interface LearnerState {
  /** Events acknowledged and not yet learned. */
  readonly lag: number;
  /** Events that came out of the learner in this process, learned or skipped. */
  readonly done: number;
}

const LAG = /^recsys_learner_lag_events (\S+)$/m;
const OUTCOME = /^recsys_events_outcome_total\{([^}]*)\} (\S+)$/gm;

/** Reads Prometheus text; lag NaN where it is not a service's. Events of unknown items and behaviours never reach the learner. */
export function learnerState(text: string): LearnerState {
  const done = [...text.matchAll(OUTCOME)]
    .filter(([, labels]) => !labels!.includes('reason="unknown'))
    .reduce((sum, [, , count]) => sum + Number(count), 0);
  return { lag: Number(LAG.exec(text)?.[1] ?? Number.NaN), done };
}
