/**
 * Prequential quality (Dawid 1984; Gama, Sebastião & Rodrigues 2013): each event is ranked by the model before the model
 * learns it. Mean of HR@k and NDCG@k over the last `window` ranked events, and over all of them.
 */
export class Prequential {
  private readonly gains: Float64Array;
  private windowHits = 0;
  private next = 0;
  private hits = 0;
  private gain = 0;
  count = 0;

  constructor(
    readonly k: number,
    readonly window: number,
  ) {
    this.gains = new Float64Array(window);
  }

  /** Records the rank (from 1, ties counted half-way) of an event's item. */
  record(rank: number): void {
    const gain = rank <= this.k ? 1 / Math.log2(rank + 1) : 0;
    const leaving = this.count >= this.window ? this.gains[this.next]! : 0;
    if (leaving > 0) this.windowHits--;
    this.gains[this.next] = gain;
    this.next = (this.next + 1) % this.window;
    if (gain > 0) {
      this.windowHits++;
      this.hits++;
    }
    this.gain += gain;
    this.count++;
  }

  /** Means over the window and over everything; NaN before the first event. */
  get values(): { hr: number; ndcg: number; hrAll: number; ndcgAll: number } {
    const n = Math.min(this.count, this.window);
    const sum = this.gains.subarray(0, n).reduce((a, b) => a + b, 0);
    return {
      hr: this.windowHits / n,
      ndcg: sum / n,
      hrAll: this.hits / this.count,
      ndcgAll: this.gain / this.count,
    };
  }
}

/**
 * Rank (from 1) of `target` in one row of scores among all columns but padding and `excluded`; equal scores count half
 * against the target. A NaN score ranks last.
 */
export function rankOf(
  scores: Float32Array,
  offset: number,
  columns: number,
  target: number,
  excluded: { has(item: number): boolean },
): number {
  const own = scores[offset + target]!;
  let above = 0;
  let equal = 0;
  for (let item = 1; item < columns; item++) {
    const score = scores[offset + item]!;
    if (item === target || score < own || excluded.has(item)) continue;
    if (score === own) equal++;
    else above++;
  }
  return 1 + above + equal / 2;
}
