import type { TensorMap } from '../types.js';
import type { LogisticState } from './clicks/logistic.js';
import type { Offsets } from './guard/learned.js';
import type { LearningStateSnapshot } from './guard/learning-state.js';
import type { EventIds } from './recent.js';
import type { UserSnapshot } from './users.js';
import type { QueueState } from './waiting.js';

/** What a service was when its snapshot was taken, between two updates: all records up to `position` applied. */
export interface ServicePosition {
  readonly position: number;
  readonly queue: QueueState;
  /** What was learned of each user: as it is served, and in the arm that has nothing else. */
  readonly offsets: Offsets;
  /** The click model; absent where there is none. */
  readonly clicks?: LogisticState | undefined;
  readonly learning: LearningStateSnapshot;
  /** Ids of recent events, by which a repeated one is recognised. */
  readonly ids: EventIds;
  readonly histories: UserSnapshot;
  /** When items that came had their last event, where they may lose their rows. */
  readonly items?: TensorMap;
  /** Popularity [items + 1], events included. */
  readonly popularity: Float32Array;
}
