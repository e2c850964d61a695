import type { TopK } from '../../compute/topk.js';
import type { Attributes } from './attributes.js';

export interface SelectionOptions {
  readonly attributes: Attributes;
  /** By attribute: most items with the same value. */
  readonly most: ReadonlyMap<string, number>;
  /** λ of maximal marginal relevance, 0 to 1. */
  readonly diversity: number;
}

/**
 * A list of `k` out of candidates, best first: one after the other the item with the highest (1 − λ) · relevance − λ · likeness, whose attributes' values are not in
 * the list as often as they may be. Relevance is the score brought to 0 … 1 over the candidates; likeness the largest share of values (Jaccard) with an item
 * chosen already (maximal marginal relevance, Carbonell & Goldstein 1998). Shorter where caps leave no more.
 */
export function select(candidates: TopK, k: number, options: SelectionOptions): TopK {
  const { attributes, most, diversity } = options;
  const { items, scores } = candidates;
  const values = Array.from(items, (item) => new Set(attributes.of(item)));
  const [high, low] = [scores[0] ?? 0, scores.at(-1) ?? 0];
  const relevance = Float64Array.from(scores, (score) => (high > low ? (score - low) / (high - low) : 1));
  const likeness = new Float64Array(items.length);
  const counts = new Map<number, number>();
  const open = new Set(items.keys());
  const chosen: number[] = [];
  const full = (at: number): boolean =>
    [...values[at]!].some(
      (token) => (counts.get(token) ?? 0) >= (most.get(attributes.attributeOf(token)) ?? Infinity),
    );
  while (chosen.length < k) {
    let best = -1;
    let worth = Number.NEGATIVE_INFINITY;
    for (const at of open) {
      // Counts only grow: what does not fit now never will.
      if (full(at)) {
        open.delete(at);
        continue;
      }
      const own = (1 - diversity) * relevance[at]! - diversity * likeness[at]!;
      if (own > worth) [best, worth] = [at, own];
    }
    if (best < 0) break;
    open.delete(best);
    chosen.push(best);
    for (const token of values[best]!) counts.set(token, (counts.get(token) ?? 0) + 1);
    if (diversity > 0)
      for (const at of open) likeness[at] = Math.max(likeness[at]!, jaccard(values[at]!, values[best]!));
  }
  return {
    items: Int32Array.from(chosen, (at) => items[at]!),
    scores: Float32Array.from(chosen, (at) => scores[at]!),
  };
}

/** Share of values that two sets have in common; of two empty ones 0. */
function jaccard(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let common = 0;
  for (const value of a) if (b.has(value)) common++;
  const all = a.size + b.size - common;
  return all === 0 ? 0 : common / all;
}
