import { type Dataset, SPLIT } from '../../data/dataset.js';
import { targetCodes } from '../queries.js';
import type { BaselineDefinition, FitOptions } from './baseline.js';
import { choose, validationNdcg } from './choose.js';
import { constantScorer } from './constant.js';
import { countsOf } from './counts.js';

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
    const scorer = (days: number) =>
      constantScorer('recent-popularity', recentCounts(dataset, days, options.targetBehaviours));
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

/** Counts [items + 1] of train rows in the last `days`, of the target behaviours where there are; then by all-time popularity. */
export function recentCounts(
  dataset: Dataset,
  days: number,
  targetBehaviours?: readonly string[],
): Float32Array {
  const { split, time, behaviour, length } = dataset.interactions;
  const wanted = targetCodes(dataset.catalogue.behaviours, targetBehaviours);
  let last = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < length; row++)
    if (split[row] === SPLIT.train && time[row]! > last) last = time[row]!;
  return countsOf(dataset, (row) => time[row]! > last - days * DAY && wanted[behaviour[row]!] === 1);
}
