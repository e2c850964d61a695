import type { BaselineDefinition } from './baseline.js';

/**
 * The items of a user's own history, those met most often first and the newest of equals, then the most frequent items of the train rows
 * (G/P-TopFreq: Li et al. 2023, A Next Basket Recommendation Reality Check): what is to be beaten where users buy the same again. With the
 * seen filter it is popularity.
 */
export const mostSeen: BaselineDefinition = {
  describe: 'the user’s own items, the most often met first',
  async fit(dataset) {
    const counts = dataset.catalogue.itemCounts;
    const most = counts.reduce((m, count) => Math.max(m, count), 0);
    const below = counts.map((count) => count / (most + 1));
    return {
      scorer: {
        name: 'most-seen',
        items: counts.length - 1,
        async score(queries) {
          const out = new Float32Array(queries.length * counts.length);
          queries.forEach(({ items }, q) => {
            out.set(below, q * counts.length);
            for (const [item, times] of timesMet(items)) out[q * counts.length + item] = times;
          });
          return out;
        },
      },
      parameters: counts.length - 1,
      bytes: counts.byteLength,
      settings: {},
    };
  },
};

/** How often each item stands in a history, and below one more how late it does: the same number by the newer one is more. */
function timesMet(items: Int32Array): Map<number, number> {
  const met = new Map<number, number>();
  items.forEach((item, place) => {
    met.set(item, Math.floor(met.get(item) ?? 0) + 1 + place / (items.length + 1));
  });
  return met;
}
