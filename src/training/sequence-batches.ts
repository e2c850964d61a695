import type { Batch } from '../compute/step.js';
import { Random } from '../random.js';
import { askedFor } from './asked.js';
import { type Beside, f32, i32, type RowBatches, roundUp } from './batches.js';
import { historyTensors } from './histories.js';
import { drawNegatives, type NegativeOptions } from './negatives.js';
import { knownUntil, type TrainRows } from './train-rows.js';
import { cutWindows, epochOrder, type Windows } from './windows.js';

export interface SequenceBatchOptions {
  readonly length: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly negatives: NegativeOptions;
  /** Few tensor shapes (whole batches, four lengths, two numbers of positions), for steps that are recorded a shape. */
  readonly fixedShapes: boolean;
}

/**
 * Next-item batches for models with a state at every position: windows of at most length + 1 events, cut from each user's
 * end backwards, each input event predicting the one after it, and the empty history the first. Gives users [B], items and
 * behaviours [B, L], for the P positions that have a target: positions (flat in B·L), targets, weights [P]; and `batchWeight`,
 * the batch's weights over those of a batch on average: batches of short histories, which have fewer positions, count for less, so
 * that every position counts the same. A basket's events are all predicted after the last event before it; where that is in an
 * earlier window, they are no targets.
 */
export function sequenceBatches(rows: TrainRows, options: SequenceBatchOptions): RowBatches {
  // One more event than the inputs: the last is only a target.
  const windows = cutWindows(rows, options.length, 1);
  const total = rows.weight.reduce((sum, w) => sum + Math.max(0, w), 0);
  return batchesOf(rows, windows, options, total, nextItems);
}

/**
 * The same for a model that fills in hidden items: windows of at most `length` events, each event that may be a target hidden with
 * the probability `rate`, at least one a window. Besides gives `masked` [B, L], 1 where an item is hidden; targets are those.
 */
export function maskedBatches(rows: TrainRows, options: SequenceBatchOptions, rate: number): RowBatches {
  const windows = cutWindows(rows, options.length, 0);
  let total = 0;
  windows.user.forEach((_, w) => {
    const able = rows.weight.subarray(windows.start[w], windows.end[w]).filter((weight) => weight > 0);
    const sum = able.reduce((a, b) => a + b, 0);
    // Where chance hides none of n, one of them is hidden all the same.
    total += sum * (rate + (1 - rate) ** able.length / able.length);
  });
  return batchesOf(rows, windows, options, total, (layout, rng) => hiddenItems(layout, rate, rng));
}

/** Where the windows of a batch lie. */
interface Layout {
  readonly rows: TrainRows;
  readonly windows: Windows;
  /** The windows of this batch. */
  readonly chosen: Int32Array;
  /** Rows and columns of its inputs. */
  readonly size: number;
  readonly steps: number;
}

/** What a batch asks for. */
interface Asked {
  /** How many events at the end of a window are no inputs. */
  readonly ahead: number;
  readonly positions: readonly number[];
  /** The rows that are the targets. */
  readonly targets: readonly number[];
  readonly masked?: Int32Array;
}

type Ask = (layout: Layout, rng: Random) => Asked;

/** @param total the weights that an epoch asks for, or is expected to */
function batchesOf(
  rows: TrainRows,
  windows: Windows,
  options: SequenceBatchOptions,
  total: number,
  ask: Ask,
): RowBatches {
  const { batchSize, seed } = options;
  const count = Math.ceil(windows.user.length / batchSize);
  const average = total / Math.max(1, count);
  let cached: { epoch: number; order: Int32Array } | undefined;
  return {
    batchesPerEpoch: count,
    batch(epoch, index, beside) {
      if (cached?.epoch !== epoch) cached = { epoch, order: epochOrder(windows, batchSize, seed, epoch) };
      const chosen = cached.order.subarray(index * batchSize, (index + 1) * batchSize);
      const layout = layoutOf(rows, windows, chosen, options);
      const asked = ask(layout, Random.of(seed, 'masked', epoch, index));
      return assemble(layout, asked, options, average, { epoch, index }, beside);
    },
  };
}

function layoutOf(
  rows: TrainRows,
  windows: Windows,
  chosen: Int32Array,
  { fixedShapes, batchSize, length }: SequenceBatchOptions,
): Layout {
  // One more than the inputs: the position before a user's first event is where that event is predicted.
  const longest = chosen.reduce((m, w) => Math.max(m, windows.end[w]! - windows.start[w]!), 1);
  const steps = Math.min(length, roundUp(longest, fixedShapes ? Math.ceil(length / 4) : 8));
  return { rows, windows, chosen, size: fixedShapes ? batchSize : chosen.length, steps };
}

/** Each input event predicts the one after it, or the basket after it, and the empty history the first. */
function nextItems({ rows, windows, chosen, steps }: Layout): Asked {
  const positions: number[] = [];
  const targets: number[] = [];
  chosen.forEach((w, row) => {
    const start = windows.start[w]!;
    const end = windows.end[w]!;
    const first = start === rows.offsets[windows.user[w]!] && end - start <= steps ? start : start + 1;
    for (let r = first; r < end; r++) {
      const until = knownUntil(rows, r);
      if (rows.weight[r]! <= 0 || until < first) continue;
      positions.push((row + 1) * steps - (end - until));
      targets.push(r);
    }
  });
  return { ahead: 1, positions, targets };
}

function hiddenItems({ rows, windows, chosen, size, steps }: Layout, rate: number, rng: Random): Asked {
  const masked = new Int32Array(size * steps);
  const positions: number[] = [];
  const targets: number[] = [];
  chosen.forEach((w, row) => {
    const end = windows.end[w]!;
    const able: number[] = [];
    for (let r = windows.start[w]!; r < end; r++) if (rows.weight[r]! > 0) able.push(r);
    const hidden = able.filter(() => rng.uniform() < rate);
    for (const r of hidden.length > 0 ? hidden : [able[rng.int(able.length)]!]) {
      const at = (row + 1) * steps - (end - r);
      masked[at] = 1;
      positions.push(at);
      targets.push(r);
    }
  });
  return { ahead: 0, positions, targets, masked };
}

function assemble(
  { rows, windows, chosen, size, steps }: Layout,
  { ahead, positions, targets, masked }: Asked,
  options: SequenceBatchOptions,
  average: number,
  { epoch, index }: { readonly epoch: number; readonly index: number },
  beside: Beside | undefined,
): Batch {
  const histories = Array.from(chosen, (w) => ({
    user: windows.user[w]!,
    start: windows.start[w]!,
    end: windows.end[w]! - ahead,
  }));
  const { seed } = options;
  const padded = roundUp(positions.length, options.fixedShapes ? Math.ceil((size * steps) / 2) : 64);
  const at = new Int32Array(padded);
  const target = new Int32Array(padded);
  const weight = new Float32Array(padded);
  at.set(positions);
  target.set(targets.map((r) => rows.item[r]!));
  weight.set(targets.map((r) => rows.weight[r]!));
  const batchWeight = weight.reduce((sum, w) => sum + w, 0) / average;
  return {
    ...historyTensors(rows, histories, size, steps),
    positions: i32(at, [padded]),
    targets: i32(target, [padded]),
    weights: f32(weight, [padded]),
    batchWeight: f32(Float32Array.of(batchWeight), []),
    ...(masked ? { masked: i32(masked, [size, steps]) } : {}),
    ...(rows.unasked === undefined
      ? {}
      : askedFor(
          positions,
          targets.map((r) => rows.behaviour[r]!),
          [size, steps],
          rows.unasked,
          Random.of(seed, 'unasked', epoch, index),
        )),
    ...drawNegatives(target, options.negatives, Random.of(seed, 'negatives', epoch, index)),
    ...beside?.(targets, padded),
  };
}
