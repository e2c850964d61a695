import { topK } from '../compute/topk.js';
import { RecsysError } from '../errors.js';
import type { Query, Scorer, StageContext } from '../types.js';
import type { Artefact, ItemVectors } from './artefact.js';

/** How far an exported model is from its checkpoint. */
export interface Parity {
  /** What ran the exported model. */
  readonly runtime: string;
  readonly requests: number;
  readonly tolerance: number;
  /**
   * Largest difference by what was compared, each a share of the largest magnitude among the scores of the checkpoint for the
   * request: `scores`; `state`, the dot product of state and item vectors with the offset; `top`, the score of an item in the list
   * against the one that belongs in its place.
   */
  readonly differences: Readonly<Record<string, number>>;
}

export interface ParityOptions {
  readonly tolerance: number;
  readonly context: StageContext;
  /** What a dot product with `state` is checked with. */
  readonly vectors?: ItemVectors | undefined;
  /** Called with each part of the requests and the checkpoint's scores [queries × (items + 1)] for it. */
  onScores?(scores: Float32Array): void;
}

/**
 * Asks the checkpoint's own scorer and the exported model the same requests.
 * @throws EXPORT_DIFFERS where they differ by more than the tolerance, INTERRUPTED
 */
export async function checkParity(
  scorer: Scorer,
  artefact: Artefact,
  queries: readonly Query[],
  { tolerance, context, vectors, onScores }: ParityOptions,
): Promise<Parity> {
  const width = scorer.items + 1;
  const size = Math.max(1, Math.min(64, Math.floor(1_000_000 / width)));
  const differences: Record<string, number> = {};
  const note = (name: string, difference: number): void => {
    differences[name] = Math.max(differences[name] ?? 0, Number.isNaN(difference) ? Infinity : difference);
  };
  for (let from = 0; from < queries.length; from += size) {
    if (context.signal.aborted)
      throw new RecsysError('INTERRUPTED', 'export was interrupted; nothing was written');
    const part = queries.slice(from, from + size);
    const expected = await scorer.score(part);
    const { scores, state, top } = await artefact.answer(part);
    for (let row = 0; row < part.length; row++) {
      const wanted = expected.subarray(row * width, (row + 1) * width);
      const scale = largestMagnitude(wanted);
      note('scores', largestDifference(scores.subarray(row * width, (row + 1) * width), wanted) / scale);
      if (state && vectors) note('state', largestDifference(dotScores(state, row, vectors), wanted) / scale);
      if (top)
        note(
          'top',
          misplaced(
            top.subarray((row * top.length) / part.length, ((row + 1) * top.length) / part.length),
            wanted,
          ) / scale,
        );
    }
    onScores?.(expected);
    context.progress({ task: 'compare', done: from + part.length, total: queries.length });
  }
  const parity = { runtime: artefact.runtime, requests: queries.length, tolerance, differences };
  const [worst, difference] = Object.entries(differences).reduce((a, b) => (b[1] > a[1] ? b : a));
  if (difference > tolerance)
    throw new RecsysError(
      'EXPORT_DIFFERS',
      `${worst}: ${artefact.runtime} differs from the checkpoint by ${difference.toPrecision(3)} of the largest score; ${tolerance} is let pass`,
    );
  return parity;
}

/** Of items, not of padding; above zero. */
function largestMagnitude(scores: Float32Array): number {
  let largest = 1e-6;
  for (let item = 1; item < scores.length; item++) largest = Math.max(largest, Math.abs(scores[item]!));
  return largest;
}

function largestDifference(found: Float32Array, wanted: Float32Array): number {
  let largest = 0;
  for (let item = 1; item < wanted.length; item++) {
    const difference = Math.abs(found[item]! - wanted[item]!);
    if (!(difference <= largest)) largest = difference;
    if (Number.isNaN(difference)) return Number.NaN;
  }
  return largest;
}

/** state · vector + offset of every item. */
export function dotScores(
  states: Float32Array,
  row: number,
  { vectors, offsets, width }: ItemVectors,
): Float32Array {
  return offsets.map((offset, item) => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += states[row * width + d]! * vectors[item * width + d]!;
    return sum + offset;
  });
}

/** By how much the scores of listed items miss those of the best, place by place; Infinity for a list with padding or twice one. */
function misplaced(list: Float32Array, scores: Float32Array): number {
  if (list.some((item) => item < 1) || new Set(list).size < list.length) return Infinity;
  const best = topK(scores, 0, scores.length, list.length);
  return list.reduce((most, item, i) => Math.max(most, Math.abs(scores[item]! - best.scores[i]!)), 0);
}
