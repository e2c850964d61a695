import type { Random } from '../random.js';

/**
 * Items drawn by popularity: q(i) ∝ (count(i) + 1)^exponent. The exponent of 0.75 (Mikolov et al. 2013) keeps rare items
 * in play. Drawing is a binary search in the cumulative distribution.
 */
export class PopularityProposal {
  private readonly cumulative: Float64Array;

  /** @param counts [items + 1] interactions by item; entry 0 (padding) is never drawn. */
  constructor(counts: Float32Array, exponent = 0.75) {
    this.cumulative = new Float64Array(counts.length);
    let sum = 0;
    for (let i = 1; i < counts.length; i++) {
      sum += (Math.max(0, counts[i]!) + 1) ** exponent;
      this.cumulative[i] = sum;
    }
  }

  get items(): number {
    return this.cumulative.length - 1;
  }

  /** log q(item) among the first `items`. */
  logProbability(item: number, items = this.items): number {
    const c = this.cumulative;
    return Math.log((c[item]! - c[item - 1]!) / c[items]!);
  }

  /** One of the first `items`. */
  draw(random: Random, items = this.items): number {
    const c = this.cumulative;
    const at = random.uniform() * c[items]!;
    let low = 1;
    let high = items;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (c[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
