import { type Interval, meanByUser } from './intervals.js';

/** How one way to rank did on an event: the rank (from 1) of its item, and −log p(item); NaN where it could not be asked. */
export interface Ranked {
  readonly rank: number;
  readonly logLoss: number;
}

export interface ArmQuality {
  readonly arm: string;
  readonly ndcg: Interval;
  readonly hr: Interval;
  readonly logLoss: Interval;
}

/** The mean difference of two arms on the same events. */
export interface ArmDifference {
  readonly arm: string;
  readonly against: string;
  readonly ndcg: Interval;
  readonly logLoss: Interval;
}

/** Everything that is measured, at a moment. */
export interface QualityReport {
  readonly k: number;
  readonly window: number;
  /** Events ranked, and those of them that no arm knew the item of. */
  readonly events: number;
  readonly unknown: number;
  readonly arms: readonly ArmQuality[];
  /** Each arm minus the frozen one, or minus popularity where there is none. */
  readonly differences: readonly ArmDifference[];
}

/** Means over the window, and over everything. */
interface Means {
  readonly hr: number;
  readonly ndcg: number;
  readonly hrAll: number;
  readonly ndcgAll: number;
}

interface Entry {
  readonly user: string;
  readonly ranked: readonly Ranked[];
}

/** NDCG@k of one item. */
export const gainOf = (rank: number, k: number): number => (rank <= k ? 1 / Math.log2(rank + 1) : 0);

/**
 * Prequential quality (Dawid 1984; Gama, Sebastião & Rodrigues 2013): each event is ranked before it is learned, by several arms. Means of HR@k,
 * NDCG@k and log-loss over the last `window` ranked events, with intervals over users, and over all of them. The last arm is what is served.
 */
export class Prequential {
  private readonly entries: Entry[] = [];
  private next = 0;
  private hits = 0;
  private gain = 0;
  /** As they were at a count of events. */
  private means: { readonly count: number; readonly values: Means } | undefined;
  count = 0;
  /** Events of the window or before it on items that no arm knows: misses of all. */
  unknown = 0;

  constructor(
    readonly k: number,
    readonly window: number,
    readonly arms: readonly string[] = ['learned'],
  ) {}

  /** Records an event: one entry an arm, in their order. */
  record(user: string, ranked: readonly Ranked[]): void {
    this.entries[this.next] = { user, ranked };
    this.next = (this.next + 1) % this.window;
    this.count++;
    const gain = gainOf(ranked.at(-1)!.rank, this.k);
    this.gain += gain;
    if (gain > 0) this.hits++;
  }

  /** Records an event on an item that no arm knows. */
  miss(user: string): void {
    this.unknown++;
    this.record(
      user,
      this.arms.map(() => ({ rank: Number.POSITIVE_INFINITY, logLoss: Number.NaN })),
    );
  }

  /** What is served: means over the window and over everything; NaN before the first event. */
  get values(): Means {
    if (this.means?.count !== this.count) this.means = { count: this.count, values: this.mean() };
    return this.means.values;
  }

  private mean(): Means {
    const gains = this.entries.map(({ ranked }) => gainOf(ranked.at(-1)!.rank, this.k));
    const n = gains.length;
    return {
      hr: gains.filter((gain) => gain > 0).length / n,
      ndcg: gains.reduce((sum, gain) => sum + gain, 0) / n,
      hrAll: this.hits / this.count,
      ndcgAll: this.gain / this.count,
    };
  }

  report(): QualityReport {
    const { k, window, count: events, unknown, arms } = this;
    const against = arms.includes('frozen') ? 'frozen' : 'popularity';
    return { k, window, events, unknown, arms: this.quality(), differences: this.differences(against) };
  }

  /** Every arm over the window. */
  quality(): ArmQuality[] {
    return this.arms.map((arm, a) => ({
      arm,
      ndcg: this.interval(({ ranked }) => gainOf(ranked[a]!.rank, this.k)),
      hr: this.interval(({ ranked }) => Number(ranked[a]!.rank <= this.k)),
      logLoss: this.interval(({ ranked }) => ranked[a]!.logLoss),
    }));
  }

  /** Every arm but `against` minus it, event by event over the window; empty where there is no such arm. */
  differences(against: string): ArmDifference[] {
    const b = this.arms.indexOf(against);
    if (b < 0) return [];
    return this.arms.flatMap((arm, a) => {
      if (a === b) return [];
      const gain = ({ ranked }: Entry, of: number) => gainOf(ranked[of]!.rank, this.k);
      return {
        arm,
        against,
        ndcg: this.interval((entry) => gain(entry, a) - gain(entry, b)),
        logLoss: this.interval(({ ranked }) => ranked[a]!.logLoss - ranked[b]!.logLoss),
      };
    });
  }

  private interval(value: (entry: Entry) => number): Interval {
    return meanByUser(
      this.entries.map(value),
      this.entries.map(({ user }) => user),
    );
  }
}

/**
 * Rank (from 1) of `target` in one row of scores among all columns but padding and those `barred` [columns] marks with 1; equal
 * scores count half against the target. A NaN score ranks last.
 */
export function rankOf(
  scores: Float32Array,
  offset: number,
  columns: number,
  target: number,
  barred: Uint8Array,
): number {
  const own = scores[offset + target]!;
  let above = 0;
  let equal = 0;
  for (let item = 1; item < columns; item++) {
    const score = scores[offset + item]!;
    if (item === target || score < own || barred[item] === 1) continue;
    if (score === own) equal++;
    else above++;
  }
  return 1 + above + equal / 2;
}

/** −log of the softmax of one row of scores at `target`, among all columns but padding and those `barred` marks with 1. */
export function logLossOf(
  scores: Float32Array,
  offset: number,
  columns: number,
  target: number,
  barred: Uint8Array,
): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let item = 1; item < columns; item++) {
    const score = scores[offset + item]!;
    if (barred[item] === 0 && !(score <= most)) most = score;
  }
  let total = 0;
  for (let item = 1; item < columns; item++)
    if (barred[item] === 0) total += Math.exp(scores[offset + item]! - most);
  return most + Math.log(total) - scores[offset + target]!;
}
