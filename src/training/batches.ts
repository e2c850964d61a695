import { shapeKey } from '../compute/graph/shape.js';
import type { Batch } from '../compute/step.js';
import type { HostTensor } from '../types.js';

/** Batches by epoch and index: any of them can be made without the ones before it, so that a run can resume anywhere. */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  batch(epoch: number, index: number): Batch;
  /** A batch without what has to be read from a file, the shape of which follows from the rest; default: `batch`. */
  outline?(epoch: number, index: number): Batch;
  /** Closes the files it reads from, where there are any. */
  close?(): void;
}

/** What a batch gets besides, for the train rows [≤ P] that its first positions ask for. */
export type Beside = (targets: readonly number[], padded: number) => Batch;

/** Batches of train rows, which can be given more of what is known of their targets. */
export interface RowBatches extends BatchSource {
  batch(epoch: number, index: number, beside?: Beside): Batch;
}

export const f32 = (data: Float32Array, shape: readonly number[]): HostTensor => ({
  dtype: 'F32',
  shape,
  data,
});
export const i32 = (data: Int32Array, shape: readonly number[]): HostTensor => ({
  dtype: 'I32',
  shape,
  data,
});

/** Rounds up to a multiple, so that few distinct tensor shapes occur. */
export const roundUp = (n: number, multiple: number): number =>
  Math.max(1, Math.ceil(n / multiple)) * multiple;

/** Copies the events before `end` (at most `steps` of them, not before `start`) right-aligned into row `row` of [B, steps]. */
export function alignRight(
  source: Int32Array,
  start: number,
  end: number,
  into: Int32Array,
  row: number,
  steps: number,
): void {
  const n = Math.min(steps, end - start);
  for (let t = 0; t < n; t++) into[(row + 1) * steps - n + t] = source[end - n + t]!;
}

/** One batch of each combination of tensor shapes in the first epoch, so that a recorded step can be made ready for all. */
export function distinctShapes(source: BatchSource): Batch[] {
  const found = new Map<string, Batch>();
  for (let index = 0; index < source.batchesPerEpoch; index++) {
    const outline = source.outline?.(0, index);
    const batch = outline ?? source.batch(0, index);
    const key = shapeKey(batch);
    if (!found.has(key)) found.set(key, outline ? source.batch(0, index) : batch);
  }
  return [...found.values()];
}
