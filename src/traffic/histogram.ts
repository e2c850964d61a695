/** Bounds of neighbouring buckets are this far apart; a quantile is off by at most half of it. */
const GROWTH = 1.01;
const SMALLEST = 1e-3;
const LARGEST = 1e7;
const BUCKETS = Math.ceil(Math.log(LARGEST / SMALLEST) / Math.log(GROWTH));

/** What a histogram says, in its unit (milliseconds). All NaN where it is empty. */
export interface Quantiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly 'p99.9': number;
  readonly max: number;
}

/**
 * Counts of positive numbers in buckets whose bounds grow by 1 %, from 0.001 to 10,000,000 (milliseconds: one microsecond to 2.8 hours).
 * Quantiles are within 0.5 % of the exact ones, in 18 KB whatever the number of values; mean and maximum are exact. What lies outside counts into
 * the first or last bucket.
 */
export class Histogram {
  private readonly buckets = new Float64Array(BUCKETS);
  private sum = 0;
  private least = Number.POSITIVE_INFINITY;
  private most = Number.NEGATIVE_INFINITY;
  count = 0;

  add(value: number): void {
    const bucket = Math.floor(Math.log(value / SMALLEST) / Math.log(GROWTH));
    this.buckets[Math.max(0, Math.min(BUCKETS - 1, bucket || 0))]!++;
    this.count++;
    this.sum += value;
    this.least = Math.min(this.least, value);
    this.most = Math.max(this.most, value);
  }

  /** The smallest value that at least the share `q` of all values does not exceed. */
  quantile(q: number): number {
    if (this.count === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil(q * this.count));
    if (rank >= this.count) return this.most;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.buckets[bucket]!;
      if (seen < rank) continue;
      return Math.min(this.most, Math.max(this.least, SMALLEST * GROWTH ** (bucket + 0.5)));
    }
    return this.most;
  }

  quantiles(): Quantiles {
    const { count } = this;
    return {
      count,
      mean: this.sum / count,
      p50: this.quantile(0.5),
      p90: this.quantile(0.9),
      p99: this.quantile(0.99),
      'p99.9': this.quantile(0.999),
      max: count === 0 ? Number.NaN : this.most,
    };
  }

  /** Every bucket that holds something: the share of all values up to its end, and that end. */
  curve(): { readonly share: number; readonly value: number }[] {
    const points: { share: number; value: number }[] = [];
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (this.buckets[bucket] === 0) continue;
      seen += this.buckets[bucket]!;
      points.push({
        share: seen / this.count,
        value: Math.min(this.most, SMALLEST * GROWTH ** (bucket + 1)),
      });
    }
    return points;
  }
}
