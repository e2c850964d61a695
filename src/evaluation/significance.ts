import { Random } from '../random.js';

/** A mean over users with its percentile bootstrap interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Resamples of the users; default 2,000. */
  readonly resamples?: number;
  readonly seed?: number;
  /** Coverage of the interval; default 0.95. */
  readonly level?: number;
}

/**
 * Percentile bootstrap over users (Efron & Tibshirani 1993, ch. 13) of the means of several columns at once: every
 * resample draws as many users as there are, with replacement, and all columns share the draws.
 *
 * @param columns per-user values, all of the same length
 */
export function bootstrap(
  columns: ReadonlyMap<string, Float32Array>,
  options: BootstrapOptions = {},
): Map<string, Interval> {
  const means = resample([...columns.values()], options);
  return new Map(
    [...columns].map(([name, column], c) => [name, intervalOf(meanOf(column), means[c]!, options)]),
  );
}

/** Means of each column over resamples of the users, in the order of the resamples. */
export function resample(values: readonly Float32Array[], options: BootstrapOptions): Float64Array[] {
  const { resamples = 2000, seed = 0 } = options;
  const users = values[0]?.length ?? 0;
  // Most users score 0 on most metrics and many share a row; equal rows are drawn as one group.
  const { group, rows } = distinctRows(values, users);
  const means = values.map(() => new Float64Array(resamples));
  const random = Random.of(seed, 'bootstrap');
  const counts = new Int32Array(rows.length);
  for (let r = 0; r < resamples && users > 0; r++) {
    counts.fill(0);
    for (let i = 0; i < users; i++) counts[group[random.int(users)]!]!++;
    for (let c = 0; c < values.length; c++) {
      const column = values[c]!;
      let sum = 0;
      for (let g = 0; g < rows.length; g++) sum += counts[g]! * column[rows[g]!]!;
      means[c]![r] = sum / users;
    }
  }
  return means;
}

/** A figure with the percentile interval of what it was in each resample; these are sorted in place. */
export function intervalOf(
  mean: number,
  resampled: Float64Array,
  { level = 0.95 }: BootstrapOptions,
): Interval {
  const sorted = resampled.sort();
  return { mean, low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2) };
}

/** Mean of a column, 0 of none. */
export function meanOf(column: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < column.length; i++) sum += column[i]!;
  return column.length === 0 ? 0 : sum / column.length;
}

/**
 * Mean of a − b over the same users, with its interval: users are resampled in pairs, so what makes a user easy or hard
 * for both cancels out.
 */
export function pairedDifference(
  a: ReadonlyMap<string, Float32Array>,
  b: ReadonlyMap<string, Float32Array>,
  options: BootstrapOptions = {},
): Map<string, Interval> {
  const differences = new Map<string, Float32Array>();
  for (const [name, left] of a) {
    const right = b.get(name);
    if (right === undefined) continue;
    if (right.length !== left.length)
      throw new Error(`pairedDifference: ${name} has ${left.length} and ${right.length} users`);
    differences.set(
      name,
      left.map((value, i) => value - right[i]!),
    );
  }
  return bootstrap(differences, options);
}

/** Linear interpolation between order statistics of ascending values. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const value = sorted[low] ?? 0;
  const next = sorted[Math.min(low + 1, sorted.length - 1)] ?? 0;
  return value + (at - low) * (next - value);
}

function distinctRows(values: readonly Float32Array[], users: number): { group: Int32Array; rows: number[] } {
  const group = new Int32Array(users);
  const rows: number[] = [];
  const known = new Map<string, number>();
  for (let i = 0; i < users; i++) {
    const key = values.map((column) => column[i]).join(' ');
    let at = known.get(key);
    if (at === undefined) {
      at = rows.length;
      rows.push(i);
      known.set(key, at);
    }
    group[i] = at;
  }
  return { group, rows };
}
