import type { LogisticState } from '../clicks/logistic.js';
import type { LearnerState } from '../learner.js';
import type { OffsetSnapshot, UserAdaptation } from '../user-adaptation.js';

/** Weights of users' own: of the model as served, and of the arm that has nothing else. */
export type Adaptations = { readonly served?: UserAdaptation; readonly adapted?: UserAdaptation };
export type Offsets = { readonly served?: OffsetSnapshot; readonly adapted?: OffsetSnapshot };

/** Everything that has been learned up to a position of the journal: what a rollback brings back. */
export interface LearnedState {
  /** Parameters and optimizer state. */
  readonly learner: LearnerState;
  readonly offsets: Offsets;
  readonly clicks?: LogisticState | undefined;
  /** Events learned since the base checkpoint. */
  readonly learned: number;
  /** How often a row had become another item's. */
  readonly begun: number;
  /** Norms of the newest gradients. */
  readonly norms: readonly number[];
}

/** The last good snapshot: one that was taken while nothing was known against what had been learned. */
export interface LastGood {
  /** Its position in a journal; undefined where there is none. */
  position(journalId: string): number | undefined;
  /** What had been learned at a position; undefined where it is not this one's. @throws what reading a checkpoint throws */
  read(journalId: string, position: number): Promise<LearnedState | undefined>;
  /** Runs one thing at a time: no good snapshot may be replaced while one goes back to it. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
}

export const offsetsOf = (adaptations: Adaptations): Offsets =>
  Object.fromEntries(Object.entries(adaptations).map(([name, one]) => [name, one.snapshot(name)]));

export function loadOffsets(adaptations: Adaptations, offsets: Offsets): void {
  for (const name of ['served', 'adapted'] as const)
    if (offsets[name]) adaptations[name]?.load(name, offsets[name]);
}
