import { setImmediate } from 'node:timers/promises';
import type { Dataset } from '../../data/dataset.js';
import { RecsysError } from '../../errors.js';
import type { Query, Scorer } from '../../types.js';
import type { BaselineDefinition, FitOptions } from './baseline.js';
import { choose, validationNdcg } from './choose.js';
import { distinct, type TrainMatrix, trainMatrix } from './train.js';

/** Neighbours kept an item, and the shrinkages tried. */
export const NEIGHBOURS = 100;
export const SHRINKS = [0, 10, 100] as const;

/** Each item's nearest items by shrunk cosine, as compressed rows. */
export interface Neighbours {
  readonly items: number;
  readonly offsets: Int32Array;
  readonly neighbours: Int32Array;
  readonly similarity: Float32Array;
}

/**
 * Item-based nearest neighbours (Sarwar et al. 2001; Deshpande & Karypis 2004): cosine of the items' users,
 * |U_i ∩ U_j| / (√|U_i| √|U_j| + shrink), the `k` largest an item. Memory: items × k; time: Σ_u |items of u|².
 *
 * @param pause called now and then; may yield, and may throw to stop
 */
export async function nearestItems(
  matrix: TrainMatrix,
  k: number,
  shrink: number,
  pause: (done: number, total: number) => Promise<void> | void = () => {},
): Promise<Neighbours> {
  const { items, itemOffsets, itemUsers, userOffsets, userItems } = matrix;
  const norm = Float64Array.from({ length: items + 1 }, (_, i) =>
    Math.sqrt(itemOffsets[i + 1]! - itemOffsets[i]!),
  );
  const common = new Int32Array(items + 1);
  const touched = new Int32Array(items + 1);
  const cosine = new Float64Array(items + 1);
  const offsets = new Int32Array(items + 2);
  const neighbours: Int32Array[] = [];
  const similarities: Float32Array[] = [];
  let held = 0;
  for (let item = 1; item <= items; item++) {
    if (item % 256 === 0) await pause(item, items);
    offsets[item] = held;
    let count = 0;
    for (let a = itemOffsets[item]!; a < itemOffsets[item + 1]!; a++) {
      const user = itemUsers[a]!;
      for (let b = userOffsets[user]!; b < userOffsets[user + 1]!; b++) {
        const other = userItems[b]!;
        if (common[other]!++ === 0) touched[count++] = other;
      }
    }
    let found = 0;
    for (let i = 0; i < count; i++) {
      const other = touched[i]!;
      if (other !== item) {
        touched[found] = other;
        cosine[found++] = common[other]! / (norm[item]! * norm[other]! + shrink);
      }
      common[other] = 0;
    }
    const size = Math.min(k, found);
    const nearest = largest(cosine.subarray(0, found), touched, size);
    neighbours.push(nearest.map((i) => touched[i]!));
    similarities.push(Float32Array.from(nearest, (i) => cosine[i]!));
    held += size;
  }
  offsets[items + 1] = held;
  const result = { items, offsets, neighbours: new Int32Array(held), similarity: new Float32Array(held) };
  for (let item = 1; item <= items; item++) {
    result.neighbours.set(neighbours[item - 1]!, offsets[item]!);
    result.similarity.set(similarities[item - 1]!, offsets[item]!);
  }
  return result;
}

/** Positions of the k largest values; among equal ones those with the lower id first. */
function largest(values: Float64Array, ids: Int32Array, k: number): Int32Array {
  if (k === 0) return new Int32Array(0);
  const least = values.slice().sort()[values.length - k]!;
  const above: number[] = [];
  const equal: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i]! > least) above.push(i);
    else if (values[i] === least) equal.push(i);
  }
  equal.sort((a, b) => ids[a]! - ids[b]!);
  return Int32Array.from([...above, ...equal.slice(0, k - above.length)]);
}

/** Score of a candidate: the sum of the similarities with the history's distinct items that have it as a neighbour. */
export function neighbourScorer(table: Neighbours, name = 'itemknn'): Scorer {
  return {
    name,
    items: table.items,
    async score(queries: readonly Query[]) {
      const width = table.items + 1;
      const out = new Float32Array(queries.length * width);
      queries.forEach((query, q) => {
        for (const item of distinct(query.items)) {
          for (let i = table.offsets[item]!; i < table.offsets[item + 1]!; i++) {
            out[q * width + table.neighbours[i]!]! += table.similarity[i]!;
          }
        }
      });
      return out;
    },
  };
}

export const itemknn: BaselineDefinition = {
  describe: 'item-based nearest neighbours by cosine',
  async fit(dataset: Dataset, options: FitOptions) {
    const matrix = trainMatrix(dataset);
    const { context } = options;
    const pause = async (done: number, total: number) => {
      context?.progress({ task: 'fit itemknn', done, total });
      await setImmediate();
      if (context?.signal.aborted) throw new RecsysError('INTERRUPTED', 'fitting itemknn was interrupted');
    };
    const tables = new Map<number, Neighbours>();
    const fit = async (shrink: number): Promise<Neighbours> => {
      const table = tables.get(shrink) ?? (await nearestItems(matrix, NEIGHBOURS, shrink, pause));
      tables.set(shrink, table);
      return table;
    };
    const { best, chosen } = await choose(SHRINKS, 0, async (shrink) =>
      validationNdcg(dataset, neighbourScorer(await fit(shrink)), options),
    );
    const table = await fit(best);
    return {
      scorer: neighbourScorer(table),
      parameters: table.similarity.length,
      bytes: table.similarity.byteLength + table.neighbours.byteLength + table.offsets.byteLength,
      settings: { neighbours: NEIGHBOURS, shrink: best },
      ...(chosen ? {} : { note: 'shrink not chosen: the dataset has no validation rows' }),
    };
  },
};
