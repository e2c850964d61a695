import { SPLIT } from '../../data/dataset.js';
import { best, type Strategy } from './strategy.js';

/** The items most users know. */
export const popular: Strategy = async ({ candidates, count }) => candidates.slice(0, count);

export const random: Strategy = async ({ candidates, count, random: rng }) =>
  rng.shuffle([...candidates]).slice(0, count);

/**
 * Items whose values differ most among those who know them, and that many know: entropy of the values times the logarithm of their
 * number (Rashid et al. 2002). Without values every item is as telling as it is popular.
 */
export const entropy: Strategy = async ({ dataset, candidates, count }) => {
  const { interactions: rows } = dataset;
  const counts = new Map(candidates.map((item) => [item, new Map<number, number>()] as const));
  for (let r = 0; r < rows.length; r++) {
    const own = rows.split[r] === SPLIT.train ? counts.get(rows.item[r]!) : undefined;
    if (own) own.set(rows.value[r]!, (own.get(rows.value[r]!) ?? 0) + 1);
  }
  const scores = candidates.map((item) => {
    const seen = [...counts.get(item)!.values()];
    const total = seen.reduce((a, b) => a + b, 0);
    const spread = seen.reduce((sum, n) => sum - (n / total) * Math.log(n / total), 0);
    return spread * Math.log(1 + total);
  });
  return best(candidates, scores, count);
};
