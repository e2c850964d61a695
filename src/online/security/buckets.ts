/** A rate: so many a second in the long run, and so many at once after a rest. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Token buckets by name. A bucket holds `burst` tokens, gains `perSecond` each second, and what is done takes its cost from it.
 *
 * What costs more than a full bucket holds is let through when the bucket is full, and leaves a debt: so the mean rate holds for any cost.
 * At most `most` buckets are remembered. Those that are full again are forgotten first, which loses nothing; then the one untouched for longest,
 * which is the nearest to being full.
 */
export class Buckets {
  /** The one touched last stands last. */
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly rate: Rate,
    private readonly most: number,
    private readonly now: () => number,
  ) {}

  get size(): number {
    return this.buckets.size;
  }

  /** Seconds until `cost` may be taken of a bucket; 0: now. Takes nothing. */
  wait(name: string, cost = 1): number {
    const missing = Math.min(cost, this.rate.burst) - this.tokens(name);
    return Math.max(0, missing / this.rate.perSecond);
  }

  /** Takes `cost` of a bucket, whether or not it holds as much. */
  take(name: string, cost = 1): void {
    const tokens = this.tokens(name) - cost;
    this.buckets.delete(name);
    this.buckets.set(name, { tokens, at: this.now() });
    this.forget();
  }

  private tokens(name: string): number {
    const bucket = this.buckets.get(name);
    return bucket === undefined ? this.rate.burst : this.filled(bucket);
  }

  private filled({ tokens, at }: Bucket): number {
    return Math.min(this.rate.burst, tokens + (Math.max(0, this.now() - at) / 1000) * this.rate.perSecond);
  }

  private forget(): void {
    for (const [name, bucket] of this.buckets) {
      if (this.buckets.size <= this.most && this.filled(bucket) < this.rate.burst) return;
      this.buckets.delete(name);
    }
  }
}
