import { type Dataset, SPLIT } from '../../data/dataset.js';

/**
 * Counts [items + 1] of the train rows that are `wanted`. Items without one follow in order of all train rows: their counts are scaled
 * below 1.
 */
export function countsOf(dataset: Dataset, wanted: (row: number) => boolean): Float32Array {
  const { interactions: rows, catalogue } = dataset;
  const counts = new Float32Array(catalogue.itemCounts.length);
  for (let row = 0; row < rows.length; row++)
    if (rows.split[row] === SPLIT.train && wanted(row)) counts[rows.item[row]!]!++;
  const most = catalogue.itemCounts.reduce((m, count) => Math.max(m, count), 0);
  return counts.map((count, item) => count + catalogue.itemCounts[item]! / (most + 1));
}
