import { RecsysError } from '../errors.js';
import { hint } from '../nearest.js';
import type { Measured } from './contender.js';
import type { Retention } from './results.js';
import { type BootstrapOptions, type Interval, intervalOf, meanOf, resample } from './significance.js';
import type { BootstrapSettings } from './summary.js';

/**
 * Mean of a over mean of b, with its percentile bootstrap interval: users are resampled in pairs.
 * @param a, b values of the same users
 */
export function pairedRatio(a: Float32Array, b: Float32Array, options: BootstrapOptions = {}): Interval {
  if (b.length !== a.length) throw new Error(`pairedRatio: ${a.length} and ${b.length} users`);
  const [left, right] = resample([a, b], options) as [Float64Array, Float64Array];
  const ratios = left.map((mean, r) => mean / right[r]!).filter((_, r) => right[r]! > 0);
  return intervalOf(meanOf(a) / meanOf(b), ratios, options);
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
