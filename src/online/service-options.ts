import type { Catalogue, StageContext } from '../types.js';
import type { ClicksConfig } from './clicks/schema.js';
import type { Questions } from './elicitation.js';
import type { Alert } from './guard/alerts.js';
import type { LastGood } from './guard/learned.js';
import type { GuardConfig } from './guard/schema.js';
import type { JournalFiles } from './journal/files.js';
import type { Durability } from './journal/options.js';
import type { FrozenModel, OnlineLearner } from './learner.js';
import type { ListsConfig } from './lists/schema.js';
import type { ServiceMetrics } from './metrics.js';
import type { ServicePosition } from './position.js';
import type { Retrieval } from './retrieval/retrieval.js';
import type { LearningConfig, QualityConfig, RequestConfig, RetentionConfig } from './schema.js';
import type { Serving } from './serving.js';
import type { UserHistories } from './users.js';

export interface ServiceOptions {
  readonly catalogue: Catalogue;
  /** Rows of the catalogue that have items, padding included; those behind are free for items that come. Default: all. */
  readonly known?: number;
  /** Rows that have items of the checkpoint, padding included: the others came while it was served. Default: `known`. */
  readonly base?: number;
  readonly learner: OnlineLearner;
  /** Directory of the journal; held by this process alone. */
  readonly journal: string;
  readonly durability: Durability;
  /** Milliseconds between two syncs with `durability: interval`. */
  readonly syncInterval: number;
  /** Default: the disk. */
  readonly files?: JournalFiles;
  /** Names the base checkpoint in the model version. */
  readonly baseVersion: string;
  readonly learning: LearningConfig;
  readonly retention: RetentionConfig;
  readonly requests: RequestConfig;
  readonly quality: QualityConfig;
  readonly lists: ListsConfig;
  readonly serving?: Serving;
  /** Which items lists are made from; absent: all. */
  readonly retrieval?: Retrieval | undefined;
  readonly clicks: ClicksConfig;
  readonly guard: GuardConfig;
  /** Absent: there is nothing to go back to. */
  readonly good?: LastGood;
  readonly alerted?: (alert: Alert) => void;
  /** The model as it was first served, where arms are measured. */
  readonly frozen?: FrozenModel | undefined;
  /** What to ask new users about; popular items where there is no list. */
  readonly questions?: Questions | undefined;
  /** Histories known before the first event. */
  readonly warm?: (histories: UserHistories) => void;
  /** Where to go on from, when the learner holds a snapshot's parameters. */
  readonly from?: { readonly journalId: string; readonly state: ServicePosition };
  /** Which records of the journal tell of updates that the model has learned; absent: all. */
  readonly learns?: (seq: number) => boolean;
  /** True: it replays the journal, and learns nothing by itself. */
  readonly held?: boolean;
  readonly metrics: ServiceMetrics;
  readonly context: StageContext;
}
