import { setImmediate } from 'node:timers/promises';
import { type TopK, topK } from '../../compute/topk.js';
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
 * |U_i ∩ U_j| / (√|U_i| √|U_j| + shrink), the `k` largest an item. Memory: items × k a shrink; time: Σ_u |items of u|².
 *
 * @param shrinks one table is made for each: the counting, which is most of the work, is done once
 * @param pause called now and then; may yield, and may throw to stop
 */
export async function nearestItems(
  matrix: TrainMatrix,
  k: number,
  shrinks: readonly number[],
  pause: (done: number, total: number) => Promise<void> | void = () => {},
): Promise<Neighbours[]> {
  const { items, itemOffsets, itemUsers, userOffsets, userItems } = matrix;
  const norm = Float64Array.from({ length: items + 1 }, (_, i) =>
    Math.sqrt(itemOffsets[i + 1]! - itemOffsets[i]!),
  );
  const common = new Int32Array(items + 1);
  const touched = new Int32Array(items + 1);
  const cosine = new Float32Array(items + 1);
  const tables = shrinks.map((shrink) => ({ shrink, rows: [] as TopK[] }));
  for (let item = 1; item <= items; item++) {
    if (item % 256 === 0) await pause(item, items);
    // Position 0 stays free, as in a row of scores.
    let found = 0;
    for (let a = itemOffsets[item]!; a < itemOffsets[item + 1]!; a++) {
      const user = itemUsers[a]!;
      for (let b = userOffsets[user]!; b < userOffsets[user + 1]!; b++) {
        const other = userItems[b]!;
        if (other !== item && common[other]!++ === 0) touched[++found] = other;
      }
    }
    for (const { shrink, rows } of tables) {
      for (let i = 1; i <= found; i++) {
        const other = touched[i]!;
        cosine[i] = common[other]! / (norm[item]! * norm[other]! + shrink);
      }
      const best = topK(cosine, 0, found + 1, k);
      rows.push({ items: best.items.map((i) => touched[i]!), scores: best.scores });
    }
    for (let i = 1; i <= found; i++) common[touched[i]!] = 0;
  }
  return tables.map(({ rows }) => compress(rows));
}

function compress(rows: readonly TopK[]): Neighbours {
  const items = rows.length;
  const offsets = new Int32Array(items + 2);
  rows.forEach((row, i) => {
    offsets[i + 2] = offsets[i + 1]! + row.items.length;
  });
  const neighbours = new Int32Array(offsets[items + 1]!);
  const similarity = new Float32Array(neighbours.length);
  rows.forEach((row, i) => {
    neighbours.set(row.items, offsets[i + 1]!);
    similarity.set(row.scores, offsets[i + 1]!);
  });
  return { items, offsets, neighbours, similarity };
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
    const tables = await nearestItems(matrix, NEIGHBOURS, SHRINKS, pause);
    const { best, chosen } = await choose(SHRINKS, SHRINKS[0], (shrink) =>
      validationNdcg(dataset, neighbourScorer(tables[SHRINKS.indexOf(shrink)]!), options),
    );
    const table = tables[SHRINKS.indexOf(best)]!;
    return {
      scorer: neighbourScorer(table),
      parameters: table.similarity.length,
      bytes: table.similarity.byteLength + table.neighbours.byteLength + table.offsets.byteLength,
      settings: { neighbours: NEIGHBOURS, shrink: best },
      ...(chosen ? {} : { note: 'shrink not chosen: the dataset has no validation rows' }),
    };
  },
};
