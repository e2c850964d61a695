import type { BackendInfo } from '../compute/backend.js';
import type { Dataset } from '../data/dataset.js';
import type { Budget } from '../model/adaptation/budget.js';
import type { StoredAdapter } from '../storage/adapter-files.js';
import type { Checkpoint } from '../storage/checkpoint.js';
import type { CheckpointsConfig } from './checkpoints/schema.js';
import type { ClicksConfig } from './clicks/schema.js';
import type { Questions } from './elicitation.js';
import type { Experiment } from './experiment/experiment.js';
import type { ExplorationConfig } from './exploration/schema.js';
import type { GuardConfig } from './guard/schema.js';
import type { AlertsConfig } from './guard/webhook.js';
import type { Durability } from './journal/options.js';
import type { ListsConfig } from './lists/schema.js';
import type { RetrievalConfig } from './retrieval/schema.js';
import type { LearningConfig, QualityConfig, RequestConfig, RetentionConfig } from './schema.js';
import type { Security } from './security/security.js';
import type { DataPart } from './warm.js';

export interface ServeOptions {
  readonly checkpoint: Checkpoint;
  /** By name: requests may ask for the model with one of them added. */
  readonly adapters: ReadonlyMap<string, StoredAdapter & { readonly path: string }>;
  /** What to ask new users about; popular items where there is no list. */
  readonly questions: Questions | undefined;
  /** Histories known before the first event. */
  readonly data: Dataset | undefined;
  /** Up to which part of its split. */
  readonly dataPart: DataPart;
  /** State directory: journal and snapshot. Held by one process at a time. */
  readonly state: string;
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  /** What adapting to a user may cost when a list is asked for; learning keeps the checkpoint's own steps. */
  readonly budget: Budget;
  readonly learning: LearningConfig;
  readonly durability: Durability;
  readonly syncInterval: number;
  readonly retention: RetentionConfig;
  readonly requests: RequestConfig;
  readonly quality: QualityConfig;
  readonly lists: ListsConfig;
  readonly retrieval: RetrievalConfig;
  readonly exploration: ExplorationConfig;
  /** Which users' lists are made how; absent: all alike. */
  readonly experiment?: Experiment | undefined;
  readonly clicks: ClicksConfig;
  readonly guard: GuardConfig;
  readonly alerts: AlertsConfig;
  readonly checkpoints: CheckpointsConfig;
  /** Absent: everyone is let in, on loopback alone. */
  readonly security?: Security;
  /** File of the key that users' ids are pseudonymised with; absent: they are kept as they are. */
  readonly pseudonymKey?: string | undefined;
  /** Milliseconds after the last erasure before shared weights are rebuilt in the background; absent: the next start does it. */
  readonly rebuildAfter?: number | undefined;
  readonly backend: BackendInfo;
  /** The resolved config, as the checkpoint written at the end records it. */
  readonly config: unknown;
  /** Where to write a checkpoint when stopped, besides the snapshot in the state directory. */
  readonly out: string | undefined;
  readonly force: boolean;
  /** Called once requests are answered. */
  ready(address: { readonly url: string; readonly pid: number }): Promise<void>;
}
