import type { Drift, DriftDetector } from './adwin.js';

/** Before there are so many values, no alarm. */
const FEWEST = 30;

/**
 * The Page–Hinkley test (Page 1954; Gama, Sebastião & Rodrigues 2013) for a mean that rises: m = Σ (x − x̄ − δ), x̄ the mean so far; an alarm where
 * m is more than λ above its least value. Begins afresh after an alarm.
 */
export class PageHinkley implements DriftDetector {
  private n = 0;
  private sum = 0;
  private m = 0;
  private least = 0;
  /** Count and sum at the least value: where the rise began. */
  private start = { n: 0, sum: 0 };

  /** @param delta rise that is taken for none · threshold λ */
  constructor(
    private readonly delta: number,
    private readonly threshold: number,
  ) {}

  add(value: number): Drift | undefined {
    this.n++;
    this.sum += value;
    this.m += value - this.sum / this.n - this.delta;
    if (this.m <= this.least) {
      this.least = this.m;
      this.start = { n: this.n, sum: this.sum };
    }
    if (this.n < FEWEST || this.m - this.least <= this.threshold) return undefined;
    const length = this.n - this.start.n;
    const drift = {
      before: this.start.n > 0 ? this.start.sum / this.start.n : Number.NaN,
      after: (this.sum - this.start.sum) / length,
      length,
    };
    this.reset();
    return drift;
  }

  reset(): void {
    this.n = 0;
    this.sum = 0;
    this.m = 0;
    this.least = 0;
    this.start = { n: 0, sum: 0 };
  }
}
