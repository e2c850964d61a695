import { type Dataset, SPLIT } from '../../data/dataset.js';
import type { Query } from '../../types.js';
import { meanTrainValue } from '../pairs.js';

/** Foretells values of items for a user from a few of the user's events. */
export interface Rater {
  /** Predicted values of `items`, in their order. */
  rate(query: Query, items: Int32Array): Float32Array;
}

/** Ratings that pull an item's or a user's mean half-way; chosen on train rows. */
const SHRINKAGES = [1, 2, 5, 10, 20];

interface Biases {
  readonly mean: number;
  /** [items + 1]; 0 of an item without train rows. */
  readonly items: Float32Array;
}

/** Mean of the train rows and each item's shrunken difference from it. */
function itemBiases(dataset: Dataset, shrinkage: number): Biases {
  const { interactions: rows, catalogue } = dataset;
  const mean = meanTrainValue(dataset);
  const totals = new Float64Array(catalogue.items.length);
  const counts = new Float64Array(catalogue.items.length);
  for (let r = 0; r < rows.length; r++) {
    const value = rows.value[r]!;
    if (rows.split[r] !== SPLIT.train || Number.isNaN(value)) continue;
    totals[rows.item[r]!]! += value;
    counts[rows.item[r]!]!++;
  }
  const items = Float32Array.from(
    totals,
    (total, i) => (total - counts[i]! * mean) / (counts[i]! + shrinkage),
  );
  return { mean, items };
}

/** The mean of all train rows, for everyone and everything. */
export function meanRater(dataset: Dataset): Rater {
  const mean = meanTrainValue(dataset);
  return { rate: (_, items) => new Float32Array(items.length).fill(mean) };
}

/** How well an item is liked: the same for everyone. */
export function itemMeanRater(dataset: Dataset): Rater {
  const { mean, items: biases } = itemBiases(dataset, SHRINKAGES[2]!);
  return { rate: (_, items) => Float32Array.from(items, (item) => mean + biases[item]!) };
}

/**
 * Mean + item's bias + user's bias (Koren, Bell & Volinsky 2009, without factors): the user's is the mean residual of the given
 * events, shrunken by as much as is best for train users of whom every other event is asked about.
 */
export function biasRater(dataset: Dataset): Rater & { readonly shrinkage: number } {
  const biases = itemBiases(dataset, SHRINKAGES[2]!);
  const shrinkage = bestShrinkage(dataset, biases);
  return {
    shrinkage,
    rate({ items: given, values }, items) {
      const own = userBias(biases, given, values ?? new Float32Array(0), shrinkage);
      return Float32Array.from(items, (item) => biases.mean + biases.items[item]! + own);
    },
  };
}

function userBias(
  { mean, items }: Biases,
  given: ArrayLike<number>,
  values: ArrayLike<number>,
  shrinkage: number,
): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]!)) continue;
    sum += values[i]! - mean - items[given[i]!]!;
    count++;
  }
  return sum / (count + shrinkage);
}

function bestShrinkage({ interactions: rows, catalogue }: Dataset, biases: Biases): number {
  const errors = SHRINKAGES.map(() => 0);
  for (let user = 1; user < catalogue.users.length; user++) {
    const own: number[] = [];
    for (let r = rows.offsets[user]!; r < rows.offsets[user + 1]!; r++)
      if (rows.split[r] === SPLIT.train && !Number.isNaN(rows.value[r]!)) own.push(r);
    const given = own.filter((_, i) => i % 2 === 0);
    const asked = own.filter((_, i) => i % 2 === 1);
    SHRINKAGES.forEach((shrinkage, s) => {
      const bias = userBias(
        biases,
        given.map((r) => rows.item[r]!),
        given.map((r) => rows.value[r]!),
        shrinkage,
      );
      for (const r of asked)
        errors[s]! += Math.abs(rows.value[r]! - biases.mean - biases.items[rows.item[r]!]! - bias);
    });
  }
  return SHRINKAGES[errors.indexOf(Math.min(...errors))]!;
}
