import { type AnswerPlan, answersBeside } from '../distill/beside.js';
import type { TrainRows } from '../train-rows.js';
import type { Targets } from './moments.js';

/** Makes the targets of train rows; see `MomentOptions.targets`. */
export interface TargetSource {
  targets(first: number, count: number): Targets;
  close(): void;
}

/** Hard labels: all of it to the item that was chosen. */
export function hardTargets({ item }: Pick<TrainRows, 'item'>): TargetSource {
  return {
    targets: (first, count) => ({
      each: 1,
      ids: item.subarray(first, first + count),
      shares: new Float32Array(count).fill(1),
    }),
    close() {},
  };
}

/**
 * A teacher's distributions, and the chosen items: `soft` and `hard` are their shares. Each item that was drawn from the teacher's tail
 * stands for its part of what all others have together, as in the soft labels' loss.
 */
export function softTargets(
  { item }: Pick<TrainRows, 'item'>,
  plan: AnswerPlan,
  { soft, hard }: { readonly soft: number; readonly hard: number },
): TargetSource {
  const { beside, close } = answersBeside(plan);
  const { top } = plan.layout;
  const count = top + plan.layout.tail;
  const each = count + 1;
  return {
    targets(first, rows) {
      const { teacherIds, teacherProbabilities } = beside(
        Array.from({ length: rows }, (_, row) => first + row),
        rows,
      );
      const ids = new Int32Array(rows * each);
      const shares = new Float32Array(rows * each);
      for (let row = 0; row < rows; row++) {
        const at = row * count;
        const own = (teacherIds!.data as Int32Array).subarray(at, at + count);
        ids.set(own, row * each);
        shares.set(
          sharesOf(own, (teacherProbabilities!.data as Float32Array).subarray(at, at + count), top),
          row * each,
        );
        for (let k = row * each; k < row * each + count; k++) shares[k]! *= soft;
        ids[row * each + count] = item[first + row]!;
        shares[row * each + count] = hard;
      }
      return { each, ids, shares };
    },
    close,
  };
}

/** Shares of the items in one answer, which sum to 1: the `top` best have their probabilities, those drawn share what is left. */
export function sharesOf(ids: Int32Array, probabilities: Float32Array, top: number): Float32Array {
  const shares = probabilities.slice();
  const drawn = shares.subarray(top);
  const best = shares.subarray(0, top).reduce((sum, p) => sum + p, 0);
  const rest = Math.max(
    1 - best,
    drawn.reduce((most, p) => Math.max(most, p), 0),
  );
  drawn.fill(rest / drawn.length);
  let sum = 0;
  for (let k = 0; k < shares.length; k++) {
    if (ids[k] === 0) shares[k] = 0;
    sum += shares[k]!;
  }
  return sum > 0 ? shares.map((share) => share / sum) : shares;
}
