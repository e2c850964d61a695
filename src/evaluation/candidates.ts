import type { Dataset } from '../data/dataset.js';

/** Mask [items + 1] of the items that compete: those seen on train rows, or all. Default: what the dataset declares. */
export function candidateMask(
  dataset: Dataset,
  catalogue: 'train' | 'all' = dataset.manifest.split.catalogue,
): Uint8Array {
  const counts = dataset.catalogue.itemCounts;
  const mask = new Uint8Array(dataset.catalogue.items.length);
  for (let item = 1; item < mask.length; item++)
    mask[item] = catalogue === 'all' || counts[item]! > 0 ? 1 : 0;
  return mask;
}

export function countCandidates(mask: Uint8Array): number {
  let count = 0;
  for (let item = 1; item < mask.length; item++) count += mask[item]!;
  return count;
}
