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
  const isCandidate = (item: number): boolean => mask === null || mask[item] === 1;
  const open = targets.filter(isCandidate);
  // The targets' distinct scores, ascending: marks between which every candidate falls.
  const marks = Float32Array.from(new Set(Array.from(open, (item) => scores[base + item]!))).sort();
  const places = new Places(marks);
  for (let item = 1; item <= items; item++) {
    if (mask !== null && mask[item] === 0) continue;
    const score = scores[base + item]!;
    if (Number.isNaN(score)) throw notANumber(scorer, item);
    places.count(score, 1);
  }
  let last = 0;
  for (let i = 0; i < seen.length; i++) {
    const item = seen[i]!;
    if (item < last) throw new Error('rankTargets: `seen` is not ascending');
    if (item !== last && isCandidate(item) && !targets.includes(item)) places.count(scores[base + item]!, -1);
    last = item;
  }
  const above = places.above();
  const ranks = new Float64Array(targets.length).fill(Number.POSITIVE_INFINITY);
  const tiedTargets = new Int32Array(marks.length);
  for (const item of open) tiedTargets[places.find(scores[base + item]!)]!++;
  let next = 0;
  for (let mark = marks.length - 1; mark >= 0; mark--) {
    const tied = places.equal[mark]!;
    const t = tiedTargets[mark]!;
    for (let j = 0; j < t; j++) ranks[next++] = above[mark]! + ((j + 1) * (tied + 1)) / (t + 1) - 1;
  }
  return ranks;
}

/** Counts of scores at each of the ascending marks and between them: O(log marks) a score. */
class Places {
  readonly equal: Int32Array;
  /** between[m]: scores below mark m and above mark m − 1. */
  private readonly between: Int32Array;

  constructor(private readonly marks: Float32Array) {
    this.equal = new Int32Array(marks.length);
    this.between = new Int32Array(marks.length + 1);
  }

  /** Number of marks below the score. */
  find(score: number): number {
    let low = 0;
    let high = this.marks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.marks[middle]! < score) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  count(score: number, by: 1 | -1): void {
    const at = this.find(score);
    if (at < this.marks.length && this.marks[at] === score) this.equal[at]! += by;
    else this.between[at]! += by;
  }

  /** Number of scores above each mark. */
  above(): Int32Array {
    const result = new Int32Array(this.marks.length);
    let sum = 0;
    for (let mark = this.marks.length - 1; mark >= 0; mark--) {
      sum += this.between[mark + 1]!;
      result[mark] = sum;
      sum += this.equal[mark]!;
    }
    return result;
  }
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
