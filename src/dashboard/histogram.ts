import { type Sample, select } from '../protocol/metrics.js';

/** Upper bounds, rising, the last one infinite; and how many values are at most that. */
export type Buckets = readonly (readonly [bound: number, count: number])[];

/** The buckets of a histogram, added up over the label sets that have these labels. */
export function bucketsOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Buckets {
  const counts = new Map<number, number>();
  for (const { labels: own, value } of select(samples, `${name}_bucket`, labels)) {
    const bound = own.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(own.le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

/** How many values there are. */
export const countOf = (buckets: Buckets): number => buckets.at(-1)?.[1] ?? 0;

/**
 * The q-quantile, evenly spread within its bucket, as Prometheus' `histogram_quantile` has it. Infinite where it lies above the last bound; NaN
 * without values.
 */
export function quantile(buckets: Buckets, q: number): number {
  const count = countOf(buckets);
  if (count === 0) return Number.NaN;
  const rank = q * count;
  const at = buckets.findIndex(([, below]) => below >= rank);
  const [upper, below] = buckets[at]!;
  if (upper === Number.POSITIVE_INFINITY) return upper;
  const [lower, before] = buckets[at - 1] ?? [0, 0];
  return below === before ? lower : lower + ((upper - lower) * (rank - before)) / (below - before);
}
