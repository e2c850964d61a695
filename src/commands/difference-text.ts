import type { Interval } from '../evaluation/significance.js';
import { formatMetric } from '../report/format.js';

/**
 * A paired difference as people read it: sign, interval, and whether it is one.
 *
 * @param by what is paired
 */
export function differenceText({ mean, low, high }: Interval, by = 'user'): string {
  const verdict = low > 0 || high < 0 ? '' : '; not distinguishable';
  return `${mean > 0 ? '+' : ''}${formatMetric(mean)} [${formatMetric(low)}, ${formatMetric(high)}], paired by ${by}${verdict}`;
}
