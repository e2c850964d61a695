import { SPLIT } from '../../data/dataset.js';
import type { Strategy } from './strategy.js';

/**
 * Popular items that are known to different users: greedily the one with the most train rows, times 1 less the largest share (cosine)
 * of users it has in common with one already chosen (maximal marginal relevance: Carbonell & Goldstein 1998).
 */
export const diverse: Strategy = async ({ dataset, candidates, count }) => {
  const { interactions: rows, catalogue } = dataset;
  const known = new Map(candidates.map((item) => [item, new Uint8Array(catalogue.users.length)] as const));
  for (let r = 0; r < rows.length; r++)
    if (rows.split[r] === SPLIT.train) known.get(rows.item[r]!)?.fill(1, rows.user[r], rows.user[r]! + 1);
  const sizes = new Map([...known].map(([item, own]) => [item, own.reduce((a, b) => a + b, 0)] as const));
  const common = (a: number, b: number): number => {
    const [left, right] = [known.get(a)!, known.get(b)!];
    let both = 0;
    for (let u = 0; u < left.length; u++) both += left[u]! & right[u]!;
    return both / Math.sqrt(Math.max(1, sizes.get(a)! * sizes.get(b)!));
  };
  const chosen: number[] = [];
  const left = new Set(candidates);
  while (chosen.length < count && left.size > 0) {
    let next = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (const item of left) {
      const apart = 1 - chosen.reduce((m, other) => Math.max(m, common(item, other)), 0);
      const score = sizes.get(item)! * apart;
      if (score > most) [next, most] = [item, score];
    }
    chosen.push(next);
    left.delete(next);
  }
  return chosen;
};
