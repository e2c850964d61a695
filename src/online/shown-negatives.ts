import type { ItemRows } from './item-rows.js';
import type { LearnExample } from './learner.js';

/** Rows of what was shown beside the item that was chosen, as the catalogue was when the event came. */
export function othersShown(
  { event, item, known }: Pick<LearnExample, 'event' | 'item' | 'known'>,
  rows: ItemRows,
): number[] {
  const others = new Set((event.shown ?? []).flatMap((id) => rows.get(id) ?? []));
  return [...others].filter((row) => row !== item && row < known);
}

/**
 * The same items again and again, each with −log of how often: the sum of exp(s + offset) is that over the items themselves, so that a softmax is that of the choice among
 * what was shown (conditional logit: McFadden 1974). Of more items than there is room for, the first.
 */
export function fillWith(items: readonly number[], negatives: Int32Array, offsets: Float32Array): void {
  const { length: count } = negatives;
  const kept = Math.min(items.length, count);
  for (let j = 0; j < count; j++) {
    const times = Math.floor(count / kept) + (j % kept < count % kept ? 1 : 0);
    negatives[j] = items[j % kept]!;
    offsets[j] = -Math.log(times);
  }
}
