import type { TopK } from '../../compute/topk.js';
import { type Chooser, greedy } from '../exploration/exploration.js';
import type { Attributes } from './attributes.js';

export interface SelectionOptions {
  readonly attributes: Attributes;
  /** By attribute: most items with the same value. */
  readonly most: ReadonlyMap<string, number>;
  /** λ of maximal marginal relevance, 0 to 1. */
  readonly diversity: number;
}

/** A list, and how likely each item was to take its place, given those above. */
export interface Chosen extends TopK {
  readonly propensities: Float64Array;
}

/**
 * A list of `k` out of candidates, best first: one after the other an item whose attributes' values are not in the list as often as they may be, by
 * (1 − λ) · relevance − λ · likeness. Relevance is the score brought to 0 … 1 over the candidates; likeness the largest share of values (Jaccard) with an item
 * chosen already (maximal marginal relevance, Carbonell & Goldstein 1998). Shorter where caps leave no more.
 *
 * @param choose who takes a place, by what each item is worth: the above in the units of scores, so the score itself without diversity. Default: the best
 */
export function select(
  candidates: TopK,
  k: number,
  options: SelectionOptions,
  choose: Chooser = greedy,
): Chosen {
  const { attributes, most, diversity } = options;
  const { items, scores } = candidates;
  const values = Array.from(items, (item) => new Set(attributes.of(item)));
  const [high, low] = [scores[0] ?? 0, scores.at(-1) ?? 0];
  const scale = high > low ? high - low : 1;
  const likeness = new Float64Array(items.length);
  const counts = new Map<number, number>();
  let open = [...items.keys()];
  const chosen: number[] = [];
  const propensities: number[] = [];
  const full = (at: number): boolean =>
    [...values[at]!].some(
      (token) => (counts.get(token) ?? 0) >= (most.get(attributes.attributeOf(token)) ?? Infinity),
    );
  while (chosen.length < k) {
    // Counts only grow: what does not fit now never will.
    if (most.size > 0) open = open.filter((at) => !full(at));
    if (open.length === 0) break;
    const worth = Float64Array.from(
      open,
      (at) => (1 - diversity) * scores[at]! - diversity * scale * likeness[at]!,
    );
    const { at: place, propensity } = choose(
      open.map((at) => items[at]!),
      worth,
    );
    const [best] = open.splice(place, 1) as [number];
    chosen.push(best);
    propensities.push(propensity);
    for (const token of values[best]!) counts.set(token, (counts.get(token) ?? 0) + 1);
    if (diversity > 0)
      for (const at of open) likeness[at] = Math.max(likeness[at]!, jaccard(values[at]!, values[best]!));
  }
  return {
    items: Int32Array.from(chosen, (at) => items[at]!),
    scores: Float32Array.from(chosen, (at) => scores[at]!),
    propensities: Float64Array.from(propensities),
  };
}

/** Share of values that two sets have in common; of two empty ones 0. */
function jaccard(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let common = 0;
  for (const value of a) if (b.has(value)) common++;
  const all = a.size + b.size - common;
  return all === 0 ? 0 : common / all;
}
