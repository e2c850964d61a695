import type { Clock } from './clock.js';

/** Scorings whose times are known. */
const KNOWN = 9;

/** How long scores take, one after the other, and whether one more can be had in time. */
export class ScoringTime {
  private waiting = 0;
  private lastEnd = Number.NEGATIVE_INFINITY;
  /** Milliseconds of the newest scorings, without their wait for others; oldest first. */
  private readonly recent: number[] = [];

  constructor(private readonly clock: Clock) {}

  /**
   * The result of `work`, or undefined where it is not to be had within `left` milliseconds: then it is not begun, or goes on unheard. Each time that
   * nothing is under way and it is not begun, the oldest known time is forgotten, so that a service that was slow once is tried again.
   */
  async within<T>(left: number, work: () => Promise<T>): Promise<T | undefined> {
    if (left === Number.POSITIVE_INFINITY) return this.timed(work);
    if ((this.waiting + 1) * this.typical() > left || left <= 0) {
      if (this.waiting === 0) this.recent.shift();
      return undefined;
    }
    const done = new AbortController();
    const result = this.timed(work);
    // Who is late is not heard; an error of theirs is none of the one who asked.
    result.catch(() => undefined);
    try {
      return await Promise.race([result, this.clock.after(left, done.signal).then(() => undefined)]);
    } finally {
      done.abort();
    }
  }

  private async timed<T>(work: () => Promise<T>): Promise<T> {
    const begun = this.clock.now();
    this.waiting++;
    try {
      return await work();
    } finally {
      this.waiting--;
      const now = this.clock.now();
      this.recent.push(now - Math.max(begun, this.lastEnd));
      if (this.recent.length > KNOWN) this.recent.shift();
      this.lastEnd = now;
    }
  }

  /** Median of the known times. */
  private typical(): number {
    const sorted = this.recent.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  }
}
