import type { RowGradients } from '../../compute/plain/gradients.js';
import type { Contributions, Query } from '../../types.js';

/** Gradients by the names of parameters. */
export type Gradients = ReadonlyMap<string, RowGradients>;

/**
 * A dot-product model written out over the arrays of its parameters: a state h [D] of the history, and logits h · v_j + b_j. It reads the arrays as they
 * are at the time, so that updates in place need no word to it. Where a model has this form, requests and updates cost no tensor.
 */
export interface PlainModel {
  /** The state after a history. */
  state(query: Query): Float64Array;
  /** Logits of all items for a state, [items + 1]; padding at −1e9. */
  scores(state: Float64Array): Float32Array;
  /** Logits of some items. */
  logits(state: Float64Array, items: Int32Array): Float64Array;
  /** Vectors of items, each with its offset after it: [items × (D + 1)]. */
  vectors(items: Int32Array): Float32Array;
  /** What each event of a history adds to the logits of some items. */
  contributions(query: Query, items: Int32Array): Contributions;
  /** Σ_j c_j v_j: the gradient of the state, given those of the logits of items. */
  pull(items: Int32Array, coefficients: Float64Array): Float64Array;
  /** Adds to `into` what follows for the parameters from gradients of the logits of items after a history. */
  backward(
    query: Query,
    state: Float64Array,
    items: Int32Array,
    coefficients: Float64Array,
    into: Gradients,
  ): void;
}
