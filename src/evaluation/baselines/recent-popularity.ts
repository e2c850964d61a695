import { type Dataset, SPLIT } from '../../data/dataset.js';
import type { BaselineDefinition, FitOptions } from './baseline.js';
import { choose, validationNdcg } from './choose.js';
import { constantScorer } from './constant.js';

const DAY = 86_400_000;
/** Windows tried, in days. */
export const WINDOWS = [1, 7, 30, 90] as const;

/**
 * Train counts of the last days before the last train row. Defined only where times are comparable between users:
 * an order within each user has no "last week", and then this is popularity, and says so.
 */
export const recentPopularity: BaselineDefinition = {
  describe: 'train counts of the last days (the window is chosen on the validation part)',
  async fit(dataset: Dataset, options: FitOptions) {
    const all = dataset.catalogue.itemCounts;
    const held = { parameters: all.length - 1, bytes: all.byteLength };
    if (dataset.manifest.time !== 'epoch') {
      return {
        ...held,
        scorer: constantScorer('recent-popularity', all),
        settings: {},
        note: 'not defined: the data has an order within each user but no times; this is popularity',
      };
    }
    const scorer = (days: number) => constantScorer('recent-popularity', recentCounts(dataset, days));
    const { best, chosen } = await choose(WINDOWS, 7, (days) =>
      validationNdcg(dataset, scorer(days), options),
    );
    return {
      ...held,
      scorer: scorer(best),
      settings: { days: best },
      ...(chosen ? {} : { note: 'window not chosen: the dataset has no validation rows' }),
    };
  },
};

/**
 * Counts [items + 1] of train rows in the last `days`. Items without one follow in order of all-time popularity: their
 * counts are scaled below 1.
 */
export function recentCounts(dataset: Dataset, days: number): Float32Array {
  const { interactions: rows, catalogue } = dataset;
  let last = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < rows.length; row++) {
    if (rows.split[row] === SPLIT.train && rows.time[row]! > last) last = rows.time[row]!;
  }
  const counts = new Float32Array(catalogue.itemCounts.length);
  for (let row = 0; row < rows.length; row++) {
    if (rows.split[row] === SPLIT.train && rows.time[row]! > last - days * DAY) counts[rows.item[row]!]!++;
  }
  let most = 0;
  for (const count of catalogue.itemCounts) if (count > most) most = count;
  for (let item = 1; item < counts.length; item++) counts[item]! += catalogue.itemCounts[item]! / (most + 1);
  return counts;
}
