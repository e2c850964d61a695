import { setImmediate } from 'node:timers/promises';
import { blockMatrix, invertPositiveDefinite } from '../../compute/cholesky.js';
import type { Dataset } from '../../data/dataset.js';
import { RecsysError } from '../../errors.js';
import type { Query, Scorer } from '../../types.js';
import type { BaselineDefinition, FitOptions } from './baseline.js';
import { choose, validationNdcg } from './choose.js';
import { distinct, type TrainMatrix, trainMatrix } from './train.js';

/** Ridges tried on the validation part. */
export const LAMBDAS = [100, 250, 500, 1000] as const;
/** λ is chosen on the model of at most so many items, the most popular: four full inversions would take minutes. */
export const SELECTION_ITEMS = 2000;
/** Larger catalogues are skipped unless asked: time grows with the cube of the items, memory with the square. */
export const MOST_ITEMS = 6000;

/** Item–item weights B [n × n] of the `ids` (item indices); other items score 0. */
export interface EaseModel {
  readonly ids: Int32Array;
  readonly weights: Float32Array;
}

type Step = (done: number, total: number) => Promise<void> | void;

/**
 * EASE (Steck 2019): B minimises ‖X − X B‖² + λ‖B‖² with a zero diagonal; with P = (XᵀX + λI)⁻¹, B_ij = −P_ij / P_jj.
 * Memory: 2 · 8 n² bytes while fitting, 4 n² after; time: n³/2 multiply-adds.
 *
 * @param ids the items to model, ascending
 */
export async function fitEase(
  matrix: TrainMatrix,
  ids: Int32Array,
  lambda: number,
  step?: Step,
): Promise<EaseModel> {
  const n = ids.length;
  const position = new Int32Array(matrix.items + 1).fill(-1);
  ids.forEach((item, i) => {
    position[item] = i;
  });
  const gram = blockMatrix(n);
  const own = new Int32Array(n);
  for (let user = 1; user <= matrix.users; user++) {
    let count = 0;
    for (let i = matrix.userOffsets[user]!; i < matrix.userOffsets[user + 1]!; i++) {
      const at = position[matrix.userItems[i]!]!;
      if (at >= 0) own[count++] = at;
    }
    for (let a = 0; a < count; a++) {
      const base = own[a]! * gram.stride;
      for (let b = 0; b <= a; b++) gram.data[base + own[b]!]!++;
    }
  }
  for (let i = 0; i < n; i++) gram.data[i * gram.stride + i]! += lambda;
  await invertPositiveDefinite(gram, step);
  const weights = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (i !== j) weights[i * n + j] = -gram.data[i * gram.stride + j]! / gram.data[j * gram.stride + j]!;
    }
  }
  return { ids, weights };
}

/** Scores x B of the history's distinct items x. */
export function easeScorer(model: EaseModel, items: number, name = 'ease'): Scorer {
  const { ids, weights } = model;
  const n = ids.length;
  const position = new Int32Array(items + 1).fill(-1);
  ids.forEach((item, i) => {
    position[item] = i;
  });
  return {
    name,
    items,
    async score(queries: readonly Query[]) {
      const out = new Float32Array(queries.length * (items + 1));
      const sums = new Float64Array(n);
      queries.forEach((query, q) => {
        sums.fill(0);
        for (const item of distinct(query.items)) {
          const at = position[item]!;
          if (at < 0) continue;
          const base = at * n;
          for (let j = 0; j < n; j++) sums[j]! += weights[base + j]!;
        }
        for (let j = 0; j < n; j++) out[q * (items + 1) + ids[j]!] = sums[j]!;
      });
      return out;
    },
  };
}

export const ease: BaselineDefinition = {
  describe: 'EASE: linear item–item weights in closed form',
  async fit(dataset: Dataset, options: FitOptions) {
    const matrix = trainMatrix(dataset);
    const counts = (item: number): number => matrix.itemOffsets[item + 1]! - matrix.itemOffsets[item]!;
    const ids = Int32Array.from({ length: matrix.items }, (_, i) => i + 1).filter((item) => counts(item) > 0);
    const limit = options.easeItems ?? MOST_ITEMS;
    if (ids.length > limit) {
      const gib = ((2 * 8 * ids.length ** 2) / 2 ** 30).toFixed(1);
      return {
        skipped: `${ids.length} items are above easeItems ${limit}: the inverse would need ${gib} GiB and its time grows with the cube`,
      };
    }
    const step = (task: string) => async (done: number, total: number) => {
      options.context?.progress({ task, done, total });
      await setImmediate();
      if (options.context?.signal.aborted)
        throw new RecsysError('INTERRUPTED', 'fitting ease was interrupted');
    };
    const reduced = ids.length > SELECTION_ITEMS;
    const popular = reduced ? mostFrequent(ids, counts, SELECTION_ITEMS) : ids;
    const models = new Map<number, EaseModel>();
    const { best, chosen } = await choose(LAMBDAS, 500, async (lambda) => {
      const model = await fitEase(matrix, popular, lambda, step(`fit ease, λ ${lambda}`));
      if (!reduced) models.set(lambda, model);
      return validationNdcg(dataset, easeScorer(model, matrix.items), options);
    });
    const model = models.get(best) ?? (await fitEase(matrix, ids, best, step('fit ease')));
    const notes = [
      ...(chosen ? [] : ['λ not chosen: the dataset has no validation rows']),
      ...(chosen && reduced ? [`λ chosen on the ${SELECTION_ITEMS} most popular items`] : []),
    ];
    return {
      scorer: easeScorer(model, matrix.items),
      parameters: ids.length * (ids.length - 1),
      bytes: model.weights.byteLength,
      settings: { lambda: best },
      ...(notes.length > 0 ? { note: notes.join('; ') } : {}),
    };
  },
};

function mostFrequent(ids: Int32Array, counts: (item: number) => number, most: number): Int32Array {
  return Int32Array.from([...ids].sort((a, b) => counts(b) - counts(a) || a - b).slice(0, most)).sort();
}
