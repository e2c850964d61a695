import { targetCodes } from '../queries.js';
import type { BaselineDefinition } from './baseline.js';
import { constantScorer } from './constant.js';
import { countsOf } from './counts.js';

/** The most frequent items of the train rows, or of those of the target behaviours, the same for everybody. */
export const popularity: BaselineDefinition = {
  describe: 'train counts of what is asked about, the same list for everybody',
  async fit(dataset, { targetBehaviours }) {
    const { itemCounts, behaviours } = dataset.catalogue;
    const wanted = targetCodes(behaviours, targetBehaviours);
    const counts = targetBehaviours
      ? countsOf(dataset, (row) => wanted[dataset.interactions.behaviour[row]!] === 1)
      : itemCounts;
    return {
      scorer: constantScorer('popularity', counts),
      parameters: counts.length - 1,
      bytes: counts.byteLength,
      settings: {},
    };
  },
};
