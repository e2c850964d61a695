import type { ItemScores } from '../../compute/topk.js';
import type { ItemProducts } from '../learner.js';

/** Vectors of rows 1 to `rows` − 1 with their offsets, [(rows − 1) × (width + 1)], in parts with a pause after each. */
export async function vectorsOf(
  { width, vectors }: ItemProducts,
  rows: number,
  pause: () => Promise<void>,
): Promise<Float32Array<ArrayBuffer>> {
  const all = new Float32Array((rows - 1) * (width + 1));
  for (let from = 1; from < rows; from += TOGETHER) {
    const items = Int32Array.from({ length: Math.min(TOGETHER, rows - from) }, (_, i) => from + i);
    const part = await vectors(items);
    if (!part.every((value) => Math.abs(value) <= LARGEST))
      throw new Error('vectors of items are beyond what half precision can hold');
    all.set(part, (from - 1) * (width + 1));
    await pause();
  }
  return all;
}

const TOGETHER = 1024;
/** Of half precision. */
const LARGEST = 65_504;

/** A query for which an item's product is its score: the offset is one number more. */
export function queryOf(state: Float32Array): Float32Array {
  const query = new Float32Array(state.length + 1).fill(1);
  query.set(state);
  return query;
}

/** Rows of several lists, each once, ascending; padding is none. */
export function united(sorted: Int32Array, ...others: readonly ArrayLike<number>[]): Int32Array {
  const more = Int32Array.from(others.flatMap((rows) => Array.from(rows))).sort();
  const out = new Int32Array(sorted.length + more.length);
  let [size, a, b, last] = [0, 0, 0, 0];
  while (a < sorted.length || b < more.length) {
    const next =
      b >= more.length || (a < sorted.length && sorted[a]! <= more[b]!) ? sorted[a++]! : more[b++]!;
    if (next > last) out[size++] = last = next;
  }
  return out.subarray(0, size);
}

/** Whether scores are those of some items alone. */
export const ofSome = (scores: Float32Array | ItemScores | string): scores is ItemScores =>
  typeof scores === 'object' && 'items' in scores;
