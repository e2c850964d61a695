import type { Dataset } from '../../data/dataset.js';
import type { Impressions } from '../../data/read-impressions.js';
import type { Scorer, StageContext } from '../../types.js';
import type { Candidates } from '../rank.js';

/** What a baseline is fitted with. */
export interface FitOptions {
  /** Which items compete; hyperparameters are chosen on the validation part under the same rule. */
  readonly candidates: Candidates;
  readonly filterSeen: boolean;
  /** What is asked about; absent: every behaviour. */
  readonly targetBehaviours?: readonly string[] | undefined;
  /** The validation part's impressions, where these are the question. */
  readonly impressions?: Impressions | undefined;
  readonly seed: number;
  readonly context?: StageContext;
  /** Largest catalogue EASE is fitted on; default MOST_ITEMS. */
  readonly easeItems?: number;
}

/** A fitted baseline: what it scores with and what it cost. */
export interface FittedBaseline {
  readonly scorer: Scorer;
  /** Numbers held. */
  readonly parameters: number;
  readonly bytes: number;
  /** Hyperparameters used, chosen ones included. */
  readonly settings: Readonly<Record<string, number | string>>;
  /** What a reader of the table must know (a fallback, a reduced search). */
  readonly note?: string;
}

/** A baseline that was not fitted, and why. */
export interface SkippedBaseline {
  readonly skipped: string;
}

export interface BaselineDefinition {
  readonly describe: string;
  fit(dataset: Dataset, options: FitOptions): Promise<FittedBaseline | SkippedBaseline>;
}
