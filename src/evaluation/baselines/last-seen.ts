import type { BaselineDefinition } from './baseline.js';

/**
 * The items of a user's own history, the newest first, then the most frequent items of the train rows: what is to be beaten where users
 * come back to what they saw. With the seen filter it is popularity.
 */
export const lastSeen: BaselineDefinition = {
  describe: 'the user’s own items, the newest first',
  async fit(dataset) {
    const counts = dataset.catalogue.itemCounts;
    const most = counts.reduce((m, count) => Math.max(m, count), 0);
    const below = counts.map((count) => count / (most + 1));
    return {
      scorer: {
        name: 'last-seen',
        items: counts.length - 1,
        async score(queries) {
          const out = new Float32Array(queries.length * counts.length);
          queries.forEach(({ items }, q) => {
            out.set(below, q * counts.length);
            items.forEach((item, place) => {
              out[q * counts.length + item] = place + 1;
            });
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
