import { RecsysError } from '../errors.js';

/** Which items compete: a mask [items + 1] with 1 for candidates, or all of them. */
export type Candidates = Uint8Array | 'all';

/** What a scorer's NaN means for the user: no silent rank. */
export function notANumber(scorer: string, item: number): RecsysError {
  return new RecsysError('DIVERGED', `${scorer} scored item ${item} as NaN: the ranking is undefined`);
}

/**
 * Ranks of one query's targets among the candidates, 0-based, ascending.
 *
 * Ties count half-way against the target: with n candidates of one score, t of them targets, the j-th target gets the
 * expected place of the j-th of t under a random order of the tied, `above + (j + 1)(n + 1)/(t + 1) − 1`; for one target
 * `above + (n − 1)/2`. Ranks are therefore at least 1 apart, and never more than k are below k.
 *
 * @param scores [queries × (items + 1)], row-major
 * @param items number of items, without padding
 * @param row the query's row in `scores`
 * @param targets distinct item indices
 * @param seen items removed from the ranking, ascending; a target among them stays
 * @param candidates a target outside them gets rank Infinity: a miss at every k
 * @param scorer named in the error
 * @throws DIVERGED where a candidate's score is NaN
 */
export function rankTargets(
  scores: Float32Array,
  items: number,
  row: number,
  targets: Int32Array,
  seen: Int32Array,
  candidates: Candidates = 'all',
  scorer = 'the scorer',
): Float64Array {
  const base = row * (items + 1);
  const mask = candidates === 'all' ? null : candidates;
  const ranks = new Float64Array(targets.length);
  for (let j = 0; j < targets.length; j++) {
    const target = targets[j]!;
    if (mask !== null && mask[target] === 0) {
      ranks[j] = Number.POSITIVE_INFINITY;
      continue;
    }
    const score = scores[base + target]!;
    let above = 0;
    let tied = 0;
    let below = 0;
    let count = 0;
    if (mask === null) {
      count = items;
      for (let i = base + 1; i <= base + items; i++) {
        const s = scores[i]!;
        if (s < score) below++;
        else if (s > score) above++;
        else if (s === score) tied++;
      }
    } else {
      for (let i = 1; i <= items; i++) {
        if (mask[i] === 0) continue;
        count++;
        const s = scores[base + i]!;
        if (s < score) below++;
        else if (s > score) above++;
        else if (s === score) tied++;
      }
    }
    if (above + tied + below !== count) throw notANumber(scorer, firstNaN(scores, base, items));
    let last = 0;
    for (let i = 0; i < seen.length; i++) {
      const item = seen[i]!;
      if (item < last) throw new Error('rankTargets: `seen` is not ascending');
      if (item === last) continue;
      last = item;
      if ((mask !== null && mask[item] === 0) || targets.includes(item)) continue;
      const s = scores[base + item]!;
      if (s > score) above--;
      else if (s === score) tied--;
    }
    let tiedTargets = 0;
    let before = 0;
    for (let i = 0; i < targets.length; i++) {
      const other = targets[i]!;
      if (scores[base + other]! !== score || (mask !== null && mask[other] === 0)) continue;
      tiedTargets++;
      if (i < j) before++;
    }
    ranks[j] = above + ((before + 1) * (tied + 1)) / (tiedTargets + 1) - 1;
  }
  return ranks.sort();
}

function firstNaN(scores: Float32Array, base: number, items: number): number {
  for (let i = 1; i <= items; i++) if (Number.isNaN(scores[base + i]!)) return i;
  return 0;
}

/** The same among the targets and the given negatives only (sampled ranking: biased, on request alone). */
export function rankAmong(
  scores: Float32Array,
  items: number,
  row: number,
  targets: Int32Array,
  negatives: Int32Array,
  scorer = 'the scorer',
): Float64Array {
  const mask = new Uint8Array(items + 1);
  for (const item of negatives) mask[item] = 1;
  for (const item of targets) mask[item] = 1;
  return rankTargets(scores, items, row, targets, new Int32Array(0), mask, scorer);
}
