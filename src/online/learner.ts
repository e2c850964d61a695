import type { Contributions, Query, TensorMap } from '../types.js';
import type { OnlineEvent } from './events.js';
import type { Update } from './guard/update-check.js';

/** One event as the learner takes it: what the user had done before, and what came next. */
export interface LearnExample {
  /** Number in the journal. */
  readonly seq: number;
  /** As it was sent; randomness of the update is keyed by its id. */
  readonly event: OnlineEvent;
  /** The user as before this event, asked what comes next by its behaviour. */
  readonly query: Query;
  /** Catalogue index of the item, from 1. */
  readonly item: number;
  /** Index into the catalogue's behaviours. */
  readonly behaviour: number;
  /** Weight of the behaviour; above 0. */
  readonly weight: number;
  /** Rows of the catalogue that had items before the event came, padding included: what its item is ranked against. */
  readonly known: number;
  /** The item's row was another item's until this event. */
  readonly begins?: true;
}

/** A model's users as rows of `width` numbers that say all that it knows of them. */
export interface States {
  readonly width: number;
  /** States after each history, [queries × width]. */
  adapt(queries: readonly Query[]): Promise<Float32Array>;
  /** Scores, as `score` gives them, for each state: [states × (items + 1)]. */
  rank(states: Float32Array): Promise<Float32Array>;
  /** Where scores are products: those of some items. */
  readonly products?: ItemProducts | undefined;
}

/** Items as points: an item's score for a state is the product of state and vector, and an offset. */
export interface ItemProducts {
  /** Numbers of a vector, and of a state. */
  readonly width: number;
  /** States, as `States.adapt` has them up to the last digits. */
  adapt(queries: readonly Query[]): Promise<Float32Array>;
  /** Vectors of items as they are now, the offset of each after it: [items × (width + 1)]. */
  vectors(items: Int32Array): Promise<Float32Array>;
  /** Scores of items for one state: what `rank` gives them, up to the last digits. */
  scores(state: Float32Array, items: Int32Array): Promise<Float32Array>;
  /** As a learner's. */
  warm?(pause: () => Promise<void>): Promise<void>;
}

/** States that can be moved towards what a user did. */
export interface LearnableStates extends States {
  /**
   * Gradient [n × width] of −log p(item) with respect to each of n states, one item each, p over the first `known` rows of each.
   * @param tempered logits are `scale` times the model's, and `added` [n × (items + 1)]
   */
  gradients(
    states: Float32Array,
    items: Int32Array,
    known: Int32Array,
    tempered?: Tempered,
  ): Promise<Float32Array>;
}

/** What becomes of a model's logits before they are probabilities. */
export interface Tempered {
  readonly scale: number;
  readonly added?: Float32Array | undefined;
}

/** A model that does not learn. What it does not know of histories it leaves out. */
export interface FrozenModel {
  /** Items + 1: columns of its scores. */
  readonly columns: number;
  readonly states: LearnableStates;
  score(queries: readonly Query[]): Promise<Float32Array>;
  /** As a learner's. */
  warm?(pause: () => Promise<void>): Promise<void>;
  dispose(): void;
}

/** What became of an event. */
export type LearnOutcome =
  | { readonly status: 'learned'; readonly loss: number }
  | { readonly status: 'skipped'; readonly reason: string };

/** Why an update is not to be made, if so. */
export type Judge = (update: Update) => string | undefined;

/** Everything that scoring and learning depend on. */
export interface LearnerState {
  readonly parameters: TensorMap;
  readonly optimizer: TensorMap;
  /** [rows] which items have values of their own: 1, or 0 for one that nothing is known of yet. */
  readonly introduced: Uint8Array;
}

/** Operation by operation on a tensor backend. */
export const TENSORS = 'tensors 2';

/**
 * A served model: scores users and learns from events. Deterministic: equal states and equal calls give equal bits.
 * The service calls `learn` one batch at a time, in the journal's order; `score` may come in between.
 */
export interface OnlineLearner {
  readonly name: string;
  /** Names how it computes, where other ways come to other last digits: a state goes on bit for bit in the same one alone. Default: `TENSORS`. */
  readonly arithmetic?: string;
  /** Longest history read. */
  readonly length: number;
  /** Names of the adapters it can score with. */
  readonly adapters?: readonly string[];
  /** Whether it can be asked about one behaviour (`Query.asks`). */
  readonly asks?: boolean;
  /** With which columns histories must come, besides items and behaviours. */
  readonly columns?: { readonly times?: boolean; readonly values?: boolean };
  /**
   * One update from a batch; one outcome an example.
   * @param judge asked before the update: the reason it gives is why it is not made
   */
  learn(examples: readonly LearnExample[], judge?: Judge): Promise<LearnOutcome[]>;
  /** Whether all parameters are numbers; absent where that cannot be otherwise. */
  finite?(): Promise<boolean>;
  /**
   * Scores [queries × (items + 1)], row-major, higher is better; column 0 is meaningless. With the name of an adapter, those of the
   * model with the adapter's weights added.
   */
  score(queries: readonly Query[], adapter?: string): Promise<Float32Array>;
  /** Does beforehand what is done once for each shape of questions and updates; nothing is learned. `pause` comes between pieces of work. */
  warm?(pause: () => Promise<void>): Promise<void>;
  /** Of a learner whose score is a sum over events: what each of a query's adds to the scores of items. */
  readonly contributions?: (query: Query, items: Int32Array) => Promise<Contributions>;
  /** Of a learner whose users have states: those that lists are made from. */
  readonly states?: States;
  /** States that what is learned of each user starts from, of the same width: a function of parameters and history alone, whatever a list may cost. */
  readonly learnable?: LearnableStates;
  /** @param rows of the catalogue that have items: parameters have no more. Default: all. */
  snapshot(rows?: number): Promise<LearnerState>;
  /**
   * Becomes what `snapshot` gave. Rows of items that came since are as they were when they came.
   * @param restarted rows that have become another item's since
   */
  restore(state: LearnerState, restarted?: readonly number[]): void;
  /** Rows have become other items', of which nothing is known. */
  restart?(items: readonly { readonly row: number; readonly id: string }[]): Promise<void>;
  dispose(): void;
}
