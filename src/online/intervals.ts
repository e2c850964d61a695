/** A mean with its 95 % interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const Z95 = 1.96;

/**
 * Mean of values of which several belong to one user, with an interval over users: the variance of a ratio of sums by user
 * (Cochran 1977, 6.3), normal. NaN values are left out; with fewer than two users there is no interval (NaN).
 */
export function meanByUser(values: readonly number[], users: readonly string[]): Interval {
  const known = values.flatMap((value, i) => (Number.isNaN(value) ? [] : [[value, users[i]!] as const]));
  const n = known.length;
  const mean = known.reduce((sum, [value]) => sum + value, 0) / n;
  const apart = new Map<string, number>();
  for (const [value, user] of known) apart.set(user, (apart.get(user) ?? 0) + value - mean);
  const squares = [...apart.values()].reduce((sum, x) => sum + x * x, 0);
  const error = Math.sqrt((squares * apart.size) / (apart.size - 1)) / n;
  return { mean, low: mean - Z95 * error, high: mean + Z95 * error };
}
