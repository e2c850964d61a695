import { RecsysError } from '../errors.js';
import { hint } from '../nearest.js';
import { Random } from '../random.js';
import type { Measured } from './contender.js';
import type { Retention } from './results.js';
import type { BootstrapOptions, Interval } from './significance.js';
import { quantile } from './significance.js';
import type { BootstrapSettings } from './summary.js';

/**
 * Mean of a over mean of b, with its percentile bootstrap interval: users are resampled in pairs.
 * @param a, b values of the same users
 */
export function pairedRatio(a: Float32Array, b: Float32Array, options: BootstrapOptions = {}): Interval {
  const { resamples = 2000, seed = 0, level = 0.95 } = options;
  const users = a.length;
  if (b.length !== users) throw new Error(`pairedRatio: ${users} and ${b.length} users`);
  const random = Random.of(seed, 'bootstrap');
  const ratios = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let left = 0;
    let right = 0;
    for (let i = 0; i < users; i++) {
      const user = random.int(users);
      left += a[user]!;
      right += b[user]!;
    }
    ratios[r] = right > 0 ? left / right : Number.NaN;
  }
  const sorted = ratios.filter((x) => !Number.isNaN(x)).sort();
  const sum = (values: Float32Array): number => values.reduce((s, x) => s + x, 0);
  return {
    mean: sum(a) / sum(b),
    low: quantile(sorted, (1 - level) / 2),
    high: quantile(sorted, (1 + level) / 2),
  };
}

/** What each other model keeps of the reference: of its quality by `metric`, of its weights, of its bytes. */
export function retentionOf(
  measured: readonly Measured[],
  reference: string | undefined,
  metric: string,
  options: BootstrapSettings,
): Retention[] {
  const one = measured.find(({ row }) => row.name === reference);
  const whole = one?.perUser.get(metric);
  if (!one || !whole) return [];
  return measured.flatMap(({ row, perUser }) => {
    const own = perUser.get(metric);
    if (row.kind !== 'model' || row.name === reference || !own) return [];
    const quality = pairedRatio(own, whole, options);
    // Of nothing no share can be kept.
    if (!Object.values(quality).every(Number.isFinite)) return [];
    const { weights } = row;
    return [
      {
        row: row.name,
        reference: one.row.name,
        metric,
        quality,
        bytes: row.bytes / one.row.bytes,
        ...(weights === undefined || !one.row.weights ? {} : { weights: weights / one.row.weights }),
      },
    ];
  });
}

/** Refuses a reference that is no model of the comparison: before anything is computed. */
export function checkReference(reference: string | undefined, models: readonly string[]): void {
  if (reference === undefined || models.includes(reference)) return;
  throw new RecsysError(
    'CONFIG_INVALID',
    `reference: there is no model "${reference}"${hint(reference, models)}`,
  );
}
