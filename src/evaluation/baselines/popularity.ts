import type { BaselineDefinition } from './baseline.js';
import { constantScorer } from './constant.js';

/** The most frequent items of the train rows, the same for everybody. */
export const popularity: BaselineDefinition = {
  describe: 'train counts, the same list for everybody',
  async fit(dataset) {
    const counts = dataset.catalogue.itemCounts;
    return {
      scorer: constantScorer('popularity', counts),
      parameters: counts.length - 1,
      bytes: counts.byteLength,
      settings: {},
    };
  },
};
