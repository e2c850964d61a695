import { type TopK, topK } from '../compute/topk.js';
import type { Candidates } from './rank.js';

export type { TopK };

/**
 * The k best candidates of one row without the excluded ones, best first; fewer where fewer are left.
 *
 * @param scores [queries × (items + 1)], row-major, free of NaN
 * @param exclude item indices to leave out, in any order
 */
export function bestItems(
  scores: Float32Array,
  items: number,
  row: number,
  k: number,
  exclude: ArrayLike<number>,
  candidates: Candidates = 'all',
): TopK {
  const barred = new Uint8Array(items + 1);
  for (let i = 0; i < exclude.length; i++) barred[exclude[i]!] = 1;
  const excluded =
    candidates === 'all'
      ? { has: (item: number) => barred[item] === 1 }
      : { has: (item: number) => barred[item] === 1 || candidates[item] === 0 };
  return topK(scores, row * (items + 1), items + 1, k, excluded);
}
