import type { Query, Scorer } from '../../types.js';

/** A scorer that gives everybody the same scores [items + 1]. */
export function constantScorer(name: string, scores: Float32Array): Scorer {
  return {
    name,
    items: scores.length - 1,
    async score(queries: readonly Query[]) {
      const out = new Float32Array(queries.length * scores.length);
      for (let q = 0; q < queries.length; q++) out.set(scores, q * scores.length);
      return out;
    },
  };
}
