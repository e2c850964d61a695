import type { Batch } from '../compute/step.js';
import { Random } from '../random.js';
import { askedFor } from './asked.js';
import { type Beside, f32, i32, type RowBatches } from './batches.js';
import { historyTensors } from './histories.js';
import { drawNegatives, type NegativeOptions } from './negatives.js';
import { knownUntil, type TrainRows } from './train-rows.js';

/** One (user, history, item) example: the history is the rows from `start` to before `end`. */
export interface Pairs {
  readonly user: Int32Array;
  readonly start: Int32Array;
  readonly end: Int32Array;
  /** The train row that is the example, where it is one. */
  readonly row?: Int32Array;
  readonly item: Int32Array;
  /** Behaviour index + 1. */
  readonly behaviour: Int32Array;
  readonly value: Float32Array;
  readonly weight: Float32Array;
}

/** How labels are made from values; absent for the next-item task. */
export interface Labelling {
  /** Pairs whose value is at least this are 1, others 0; absent: every pair is 1. */
  readonly minimumValue: number | undefined;
  /** The label is the value itself (ratings). */
  readonly regression: boolean;
  /** Items without interaction drawn for each pair, labelled 0. */
  readonly negatives: number;
}

export interface PairBatchOptions {
  readonly length: number;
  readonly batchSize: number;
  readonly seed: number;
  /** Next-item task: negatives in the form the loss needs. */
  readonly negatives: NegativeOptions;
  /** Label task. */
  readonly labelling?: Labelling;
  /** Items a user is known to have, so that drawn negatives are none of them. */
  readonly known?: (user: number, item: number) => boolean;
  /** Fill the last batch with rows of weight 0, so that all have one shape. */
  readonly fixedShapes: boolean;
}

/** Every train row that is a target, with the history before it, or before its basket. */
export function trainPairs(rows: TrainRows): Pairs {
  const chosen: number[] = [];
  const users: number[] = [];
  for (let u = 1; u <= rows.users; u++) {
    for (let r = rows.offsets[u]!; r < rows.offsets[u + 1]!; r++) {
      if (rows.weight[r]! <= 0) continue;
      chosen.push(r);
      users.push(u);
    }
  }
  const user = Int32Array.from(users);
  return {
    user,
    start: user.map((u) => rows.offsets[u]!),
    end: Int32Array.from(chosen, (r) => knownUntil(rows, r)),
    row: Int32Array.from(chosen),
    item: Int32Array.from(chosen, (r) => rows.item[r]!),
    behaviour: Int32Array.from(chosen, (r) => rows.behaviour[r]!),
    value: Float32Array.from(chosen, (r) => rows.value[r]!),
    weight: Float32Array.from(chosen, (r) => rows.weight[r]!),
  };
}

/**
 * Batches of single examples: one position a row, with the item itself as target. For models with one state a user, and
 * for label tasks, where each pair is followed by `labelling.negatives` drawn items labelled 0.
 */
export function pairBatches(rows: TrainRows, pairs: Pairs, options: PairBatchOptions): RowBatches {
  const each = 1 + (options.labelling?.negatives ?? 0);
  const total = pairs.user.length * each;
  let cached: { epoch: number; order: Int32Array } | undefined;
  return {
    batchesPerEpoch: Math.ceil(total / options.batchSize),
    batch(epoch, index, beside) {
      if (cached?.epoch !== epoch) {
        const order = Int32Array.from({ length: total }, (_, i) => i);
        cached = { epoch, order: Random.of(options.seed, 'order', epoch).shuffle(order) };
      }
      const chosen = cached.order.subarray(index * options.batchSize, (index + 1) * options.batchSize);
      return assemble(rows, pairs, chosen, each, options, epoch, index, beside);
    },
  };
}

function assemble(
  rows: TrainRows,
  pairs: Pairs,
  chosen: Int32Array,
  each: number,
  options: PairBatchOptions,
  epoch: number,
  index: number,
  beside: Beside | undefined,
): Batch {
  const size = options.fixedShapes ? options.batchSize : chosen.length;
  const steps = options.length;
  const histories = Array.from(chosen, (code) => {
    const pair = Math.floor(code / each);
    return { user: pairs.user[pair]!, start: pairs.start[pair]!, end: pairs.end[pair]! };
  });
  const targets = new Int32Array(size);
  const weights = new Float32Array(size);
  const labels = new Float32Array(size);
  const rng = Random.of(options.seed, 'negatives', epoch, index);
  const { labelling } = options;
  chosen.forEach((code, row) => {
    const pair = Math.floor(code / each);
    weights[row] = pairs.weight[pair]!;
    if (code % each === 0) {
      targets[row] = pairs.item[pair]!;
      labels[row] = labelling ? labelOf(pairs.value[pair]!, labelling) : 1;
    } else {
      targets[row] = drawUnknown(pairs.user[pair]!, options, rng);
    }
  });
  const positions = Int32Array.from({ length: size }, (_, row) => (row + 1) * steps - 1);
  const batch = {
    ...historyTensors(rows, histories, size, steps),
    ...(rows.unasked === undefined
      ? {}
      : askedFor(
          positions,
          Array.from(chosen, (code) => pairs.behaviour[Math.floor(code / each)]!),
          [size, steps],
          rows.unasked,
          Random.of(options.seed, 'unasked', epoch, index),
        )),
    positions: i32(positions, [size]),
    targets: i32(targets, [size]),
    weights: f32(weights, [size]),
  };
  if (labelling) return { ...batch, labels: f32(labels, [size]) };
  return {
    ...batch,
    ...drawNegatives(targets, options.negatives, rng),
    ...beside?.(
      Array.from(chosen, (code) => pairs.row![Math.floor(code / each)]!),
      size,
    ),
  };
}

/** 0/1 by the threshold, the value itself for regression, 1 where neither applies. */
export function labelOf(value: number, labelling: Labelling): number {
  if (labelling.regression) return value;
  if (labelling.minimumValue === undefined) return 1;
  return value >= labelling.minimumValue ? 1 : 0;
}

/** A uniform item the user has no interaction with (any item, for a user who has them all). */
function drawUnknown(user: number, options: PairBatchOptions, rng: Random): number {
  const { items } = options.negatives;
  let item = 1 + rng.int(items);
  for (let tries = 0; tries < 20 && options.known?.(user, item); tries++) item = 1 + rng.int(items);
  // A user who has nearly everything: the next one not had.
  for (let n = 0; n < items && options.known?.(user, item); n++) item = 1 + (item % items);
  return item;
}
