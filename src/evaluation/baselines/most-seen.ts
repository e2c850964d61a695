import { ownItems } from './own-items.js';

/** Those met most often first, and the newest of equals (G/P-TopFreq: Li et al. 2023, A Next Basket Recommendation Reality Check). */
export const mostSeen = ownItems('most-seen', 'the user’s own items, the most often met first', (items) => {
  // Below one more, how late an item was met: the same number by the newer one is more.
  const met = new Map<number, number>();
  items.forEach((item, place) => {
    met.set(item, Math.floor(met.get(item) ?? 0) + 1 + place / (items.length + 1));
  });
  return met;
});
