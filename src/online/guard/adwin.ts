/** A mean that has changed: what it was, what it is now, and over how many of the newest values. */
export interface Drift {
  readonly before: number;
  readonly after: number;
  readonly length: number;
}

/** Finds changes in a stream of numbers between 0 and 1. */
export interface DriftDetector {
  /** Takes in a number; a drift where the mean has risen or fallen with it. */
  add(value: number): Drift | undefined;
  reset(): void;
}

/** Several values as their count, sum and sum of squared distances to their mean. */
interface Bucket {
  readonly n: number;
  readonly sum: number;
  readonly squares: number;
}

const EMPTY: Bucket = { n: 0, sum: 0, squares: 0 };

/** Most buckets of one size. */
const ALIKE = 5;
/** Fewest values on either side of a cut. */
const FEWEST = 5;

/** Two groups of values as one (Chan, Golub & LeVeque 1979). */
function merged(a: Bucket, b: Bucket): Bucket {
  const n = a.n + b.n;
  if (n === 0 || a.n === 0 || b.n === 0) return a.n === 0 ? b : a;
  const apart = b.sum / b.n - a.sum / a.n;
  return { n, sum: a.sum + b.sum, squares: a.squares + b.squares + (apart * apart * a.n * b.n) / n };
}

/**
 * How far apart the means of two parts of a window must be to be called different with confidence 1 − δ, δ′ = δ / ln n:
 * √(2/m · σ² · ln(2/δ′)) + 2/(3m) · ln(2/δ′), 1/m = 1/n₀ + 1/n₁ (Bifet & Gavaldà 2007, eq. 3.1).
 */
export function cutOf(n0: number, n1: number, variance: number, delta: number): number {
  const m = 1 / (1 / n0 + 1 / n1);
  const log = Math.log((2 * Math.log(n0 + n1)) / delta);
  return Math.sqrt((2 / m) * variance * log) + (2 / (3 * m)) * log;
}

/**
 * ADWIN (Bifet & Gavaldà 2007): a window of the newest values that grows while their mean stays, and drops its oldest part where two parts of it
 * have means that differ. Values are held in an exponential histogram, at most 5 buckets of each power of two: O(log n) memory, and O(log n) time a value.
 */
export class Adwin implements DriftDetector {
  /** Oldest and largest first. */
  private buckets: Bucket[] = [];

  /** @param delta chance, at each value, that a window without change is cut */
  constructor(private readonly delta: number) {}

  /** Values in the window. */
  get length(): number {
    return this.total.n;
  }

  get mean(): number {
    return this.total.sum / this.total.n;
  }

  get variance(): number {
    return this.total.squares / this.total.n;
  }

  /** Buckets held. */
  get size(): number {
    return this.buckets.length;
  }

  add(value: number): Drift | undefined {
    this.buckets.push({ n: 1, sum: value, squares: 0 });
    this.compress();
    let drift: Drift | undefined;
    for (let found = this.cut(); found; found = this.cut()) {
      drift ??= found;
      this.buckets.shift();
    }
    return drift;
  }

  reset(): void {
    this.buckets = [];
  }

  private get total(): Bucket {
    return this.buckets.reduce(merged, EMPTY);
  }

  private compress(): void {
    for (let size = 1; ; size *= 2) {
      const first = this.buckets.findIndex(({ n }) => n === size);
      const alike = this.buckets.filter(({ n }) => n === size).length;
      if (alike <= ALIKE) return;
      this.buckets.splice(first, 2, merged(this.buckets[first]!, this.buckets[first + 1]!));
    }
  }

  /** Where the means on both sides differ the most, if they differ enough. */
  private cut(): Drift | undefined {
    const { n, sum, squares } = this.total;
    let best: Drift | undefined;
    let most = 1;
    let n0 = 0;
    let sum0 = 0;
    for (const bucket of this.buckets) {
      n0 += bucket.n;
      sum0 += bucket.sum;
      const n1 = n - n0;
      if (n1 < FEWEST) break;
      if (n0 < FEWEST) continue;
      const [before, after] = [sum0 / n0, (sum - sum0) / n1];
      const apart = Math.abs(before - after) / cutOf(n0, n1, squares / n, this.delta);
      if (apart <= most) continue;
      most = apart;
      best = { before, after, length: n1 };
    }
    return best;
  }
}
