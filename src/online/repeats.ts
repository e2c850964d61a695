import type { Query } from '../types.js';

/** Items of a history, each once, newest first, with the numbers that the weights multiply. */
export interface Repeats {
  readonly items: Int32Array;
  /** [items] 1/n of the newest event on the item, n events before what comes next. */
  readonly recent: Float32Array;
}

/** What a history says of items that may come again: those below `rows`. */
export function repeatsOf({ items }: Query, rows: number): Repeats {
  const found = new Map<number, number>();
  for (let lag = 1; lag <= items.length; lag++) {
    const item = items[items.length - lag]!;
    if (item > 0 && item < rows && !found.has(item)) found.set(item, 1 / lag);
  }
  return { items: Int32Array.from(found.keys()), recent: Float32Array.from(found.values()) };
}

/** Adds a user's weights to scores [rows] of items that they had. */
export function addRepeats(
  scores: Float32Array,
  { items, recent }: Repeats,
  weights: ArrayLike<number>,
): void {
  for (const [k, item] of items.entries()) scores[item]! += weights[0]! * recent[k]! + weights[1]!;
}

/** Gradient [2] of −log p(item) with respect to a user's weights: E_p[φ] − φ(item). @param excess of the scores, the weights' own part included */
export function repeatGradient(excess: Float64Array, { items, recent }: Repeats): [number, number] {
  const gradient: [number, number] = [0, 0];
  for (const [k, had] of items.entries()) {
    if (had >= excess.length) continue;
    gradient[0] += excess[had]! * recent[k]!;
    gradient[1] += excess[had]!;
  }
  return gradient;
}
