import type { Scorer, StageContext } from '../types.js';
import { evaluateScorer } from './evaluate.js';
import { requestMilliseconds } from './latency.js';
import type { Evaluation } from './queries.js';

/** What a model costs, and what it gives for that. */
export interface Footprint {
  /** Of model.safetensors. */
  readonly bytes: number;
  readonly parameters: number;
  /** Parameters that are not 0. */
  readonly nonZero: number;
  /** Ranking metrics at 10; empty without rows to measure on. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Median of a single request in this process; absent where none was timed. */
  readonly milliseconds?: number;
}

export interface FootprintOptions {
  /** Absent: quality and latency are not measured. */
  readonly evaluation: Evaluation | undefined;
  /** Mask [items + 1] of what a timed request lists. */
  readonly candidates: Uint8Array;
  /** Single requests timed; 0 = none. */
  readonly latencyQueries: number;
  readonly context: StageContext;
}

/** Quality on an evaluation's queries and milliseconds a request, as part of a footprint. */
export async function measureScorer(
  scorer: Scorer,
  { evaluation, candidates, latencyQueries, context }: FootprintOptions,
): Promise<Pick<Footprint, 'metrics' | 'milliseconds'>> {
  if (!evaluation) return { metrics: {} };
  const { metrics } = await evaluateScorer(scorer, evaluation, { ks: [10], context });
  if (latencyQueries === 0) return { metrics };
  return { metrics, milliseconds: await requestMilliseconds(scorer, evaluation, candidates, latencyQueries) };
}
