import { Random } from '../random.js';
import { alignRight, type BatchSource, f32, i32, roundUp } from './batches.js';
import { drawNegatives, type NegativeOptions } from './negatives.js';
import type { TrainRows } from './train-rows.js';

export interface SequenceBatchOptions {
  readonly length: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly negatives: NegativeOptions;
  /** Few tensor shapes (whole batches, four lengths, two numbers of positions), for steps that are recorded a shape. */
  readonly fixedShapes: boolean;
}

/** Batches of one epoch share a pool of this many batches whose windows are sorted by length, so that little is padding. */
const POOL = 16;

/**
 * Next-item batches for models with a state at every position: windows of at most length + 1 events, cut from each user's
 * end backwards, each input event predicting the one after it, and the empty history the first. Gives users [B], items and
 * behaviours [B, L], for the P positions that have a target: positions (flat in B·L), targets, weights [P]; and `share`, the
 * batch's weights over those of a batch on average: batches of short histories, which have fewer positions, count for less, so
 * that every position counts the same.
 */
export function sequenceBatches(rows: TrainRows, options: SequenceBatchOptions): BatchSource {
  const windows = cutWindows(rows, options.length);
  const count = Math.ceil(windows.user.length / options.batchSize);
  const average = rows.weight.reduce((sum, w) => sum + Math.max(0, w), 0) / Math.max(1, count);
  let cached: { epoch: number; order: Int32Array } | undefined;
  return {
    batchesPerEpoch: count,
    batch(epoch, index) {
      if (cached?.epoch !== epoch) cached = { epoch, order: epochOrder(windows, options, epoch) };
      const size = options.batchSize;
      return assemble(
        rows,
        windows,
        cached.order.subarray(index * size, (index + 1) * size),
        options,
        Random.of(options.seed, 'negatives', epoch, index),
        average,
      );
    },
  };
}

interface Windows {
  readonly user: Int32Array;
  readonly start: Int32Array;
  /** One past the last event. */
  readonly end: Int32Array;
}

function cutWindows(rows: TrainRows, length: number): Windows {
  const user: number[] = [];
  const start: number[] = [];
  const end: number[] = [];
  for (let u = 1; u <= rows.users; u++) {
    const first = rows.offsets[u]!;
    for (let last = rows.offsets[u + 1]!; last - first >= 1; last -= length) {
      const from = Math.max(first, last - length - 1);
      let targets = false;
      for (let r = from === first ? first : from + 1; r < last && !targets; r++)
        targets = rows.weight[r]! > 0;
      if (!targets) continue;
      user.push(u);
      start.push(from);
      end.push(last);
    }
  }
  return { user: Int32Array.from(user), start: Int32Array.from(start), end: Int32Array.from(end) };
}

/** Windows in batch order: shuffled, sorted by length inside pools, then the batches shuffled. */
function epochOrder(windows: Windows, options: SequenceBatchOptions, epoch: number): Int32Array {
  const rng = Random.of(options.seed, 'order', epoch);
  const n = windows.user.length;
  const order = rng.shuffle(Int32Array.from({ length: n }, (_, i) => i));
  const size = options.batchSize;
  const lengthOf = (w: number): number => windows.end[w]! - windows.start[w]!;
  for (let from = 0; from < n; from += size * POOL) {
    order.subarray(from, from + size * POOL).sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
  }
  const whole = Math.floor(n / size);
  const batches = rng.shuffle(Int32Array.from({ length: whole }, (_, i) => i));
  const out = new Int32Array(n);
  batches.forEach((from, to) => {
    out.set(order.subarray(from * size, (from + 1) * size), to * size);
  });
  out.set(order.subarray(whole * size), whole * size);
  return out;
}

function assemble(
  rows: TrainRows,
  windows: Windows,
  chosen: Int32Array,
  options: SequenceBatchOptions,
  negatives: Random,
  average: number,
) {
  const size = options.fixedShapes ? options.batchSize : chosen.length;
  // One more than the inputs: the position before a user's first event is where that event is predicted.
  const longest = chosen.reduce((m, w) => Math.max(m, windows.end[w]! - windows.start[w]!), 1);
  const steps = Math.min(
    options.length,
    roundUp(longest, options.fixedShapes ? Math.ceil(options.length / 4) : 8),
  );
  const users = new Int32Array(size);
  const items = new Int32Array(size * steps);
  const behaviours = new Int32Array(size * steps);
  const positions: number[] = [];
  const targets: number[] = [];
  const weights: number[] = [];
  chosen.forEach((w, row) => {
    const start = windows.start[w]!;
    const end = windows.end[w]!;
    users[row] = windows.user[w]!;
    alignRight(rows.item, start, end - 1, items, row, steps);
    alignRight(rows.behaviour, start, end - 1, behaviours, row, steps);
    const first = start === rows.offsets[users[row]!] && end - start <= steps ? start : start + 1;
    for (let r = first; r < end; r++) {
      if (rows.weight[r]! <= 0) continue;
      positions.push((row + 1) * steps - (end - r));
      targets.push(rows.item[r]!);
      weights.push(rows.weight[r]!);
    }
  });
  const padded = roundUp(positions.length, options.fixedShapes ? Math.ceil((size * steps) / 2) : 64);
  const at = new Int32Array(padded);
  const target = new Int32Array(padded);
  const weight = new Float32Array(padded);
  at.set(positions);
  target.set(targets);
  weight.set(weights);
  const share = weights.reduce((sum, w) => sum + w, 0) / average;
  return {
    users: i32(users, [size]),
    items: i32(items, [size, steps]),
    behaviours: i32(behaviours, [size, steps]),
    positions: i32(at, [padded]),
    targets: i32(target, [padded]),
    weights: f32(weight, [padded]),
    share: f32(Float32Array.of(share), []),
    ...drawNegatives(target, options.negatives, negatives),
  };
}
