import type { BaselineDefinition } from './baseline.js';

/**
 * A baseline of the items of a user's own history, then of the most frequent items of the train rows: what is to be beaten where users come
 * back to what they know. With the seen filter it is popularity.
 *
 * @param scoresOf items (oldest first) → the score of each, 1 and more
 */
export function ownItems(
  name: string,
  describe: string,
  scoresOf: (items: Int32Array) => ReadonlyMap<number, number>,
): BaselineDefinition {
  return {
    describe,
    async fit(dataset) {
      const counts = dataset.catalogue.itemCounts;
      const most = counts.reduce((m, count) => Math.max(m, count), 0);
      const below = counts.map((count) => count / (most + 1));
      return {
        scorer: {
          name,
          items: counts.length - 1,
          async score(queries) {
            const out = new Float32Array(queries.length * counts.length);
            queries.forEach(({ items }, q) => {
              out.set(below, q * counts.length);
              for (const [item, score] of scoresOf(items)) out[q * counts.length + item] = score;
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
}
