import { type Dataset, SPLIT } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import type { Scorer } from '../types.js';
import { defaultBatchSize } from './evaluate.js';
import type { Evaluation, Part } from './queries.js';

/** Single held-out pairs with their values, in the order of an evaluation's queries. */
export interface HeldOutPairs {
  /** Index of the query each pair belongs to, ascending. */
  readonly query: Int32Array;
  readonly item: Int32Array;
  readonly value: Float32Array;
}

/** @throws DATA_EMPTY where no held-out row has a value */
export function heldOutPairs(dataset: Dataset, evaluation: Evaluation, part: Part): HeldOutPairs {
  const rows = dataset.interactions;
  const query: number[] = [];
  const item: number[] = [];
  const value: number[] = [];
  evaluation.queries.forEach(({ user }, q) => {
    for (let row = rows.offsets[user]!; row < rows.offsets[user + 1]!; row++) {
      if (rows.split[row] !== SPLIT[part] || Number.isNaN(rows.value[row]!)) continue;
      query.push(q);
      item.push(rows.item[row]!);
      value.push(rows.value[row]!);
    }
  });
  if (query.length === 0) {
    throw new RecsysError(
      'DATA_EMPTY',
      `${dataset.manifest.name}: no ${part} row has a value to compare with`,
    );
  }
  return { query: Int32Array.from(query), item: Int32Array.from(item), value: Float32Array.from(value) };
}

/** The scorer's score of every pair. */
export async function scorePairs(
  scorer: Scorer,
  evaluation: Evaluation,
  pairs: HeldOutPairs,
): Promise<Float32Array> {
  const scores = new Float32Array(pairs.query.length);
  const batchSize = defaultBatchSize(scorer.items);
  let at = 0;
  for (let start = 0; start < evaluation.queries.length; start += batchSize) {
    const batch = evaluation.queries.slice(start, start + batchSize);
    const all = await scorer.score(batch);
    for (; at < scores.length && pairs.query[at]! < start + batch.length; at++) {
      scores[at] = all[(pairs.query[at]! - start) * (scorer.items + 1) + pairs.item[at]!]!;
    }
  }
  return scores;
}

/** Mean value of the train rows: the constant a rating model must beat. */
export function meanTrainValue(dataset: Dataset): number {
  const rows = dataset.interactions;
  let sum = 0;
  let count = 0;
  for (let row = 0; row < rows.length; row++) {
    if (rows.split[row] !== SPLIT.train || Number.isNaN(rows.value[row]!)) continue;
    sum += rows.value[row]!;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}
