import type { Batch } from '../step.js';

/** Batches with equal keys run the same program. */
export function shapeKey(batch: Batch): string {
  return Object.entries(batch)
    .map(([name, t]) => `${name}${t.dtype}[${t.shape}]`)
    .join(' ');
}
