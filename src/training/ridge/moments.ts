import { type BlockMatrix, blockMatrix } from '../../compute/cholesky.js';
import type { TrainRows } from '../train-rows.js';

/**
 * What least squares need of the train rows: XᵀX and XᵀY, of the positions' inputs X [P × F] and targets Y [P × columns], each position
 * counted by its weight. The inputs of a position are the user's own ones, and Σ_t d^t over the `length` events before it of the event's
 * item. Neither X nor Y is ever made.
 */
export interface Moments {
  /** XᵀX, its lower triangle. */
  readonly gram: BlockMatrix;
  /** XᵀY [F × columns]. */
  readonly cross: Float32Array;
  readonly columns: number;
}

/** The inputs of a position: `ofItem` gives an item's row; `ofUser` the rows that are 1 for a user. */
export interface MomentOptions {
  readonly inputs: number;
  readonly columns: number;
  readonly decay: number;
  readonly length: number;
  ofItem(item: number): number;
  ofUser(user: number): ArrayLike<number>;
  /** Adds `weight` × the targets of train row `row` to `into` [columns]. */
  addTarget(row: number, weight: number, into: Float64Array): void;
  /** Called between users; may yield and may throw to stop. */
  step?(done: number, total: number): Promise<void> | void;
}

/** Users between two calls of `step`. */
const EVERY = 64;

/**
 * XᵀX and XᵀY in one pass over the users. With z_s = Σ_{n = s + 1 … s + length} w_n d^(n − 1 − s) y_n, which is had from z_{s + 1} by one
 * multiplication, row i_s of XᵀY is the sum of z_s; a pair of events shares Σ_n w_n d^(…) of the positions that see both.
 */
export async function moments(rows: TrainRows, options: MomentOptions): Promise<Moments> {
  const { inputs, columns, decay, length, ofItem, ofUser, addTarget, step } = options;
  const gram = blockMatrix(inputs);
  const cross = new Float64Array(inputs * columns);
  const z = new Float64Array(columns);
  const total = new Float64Array(columns);
  const leaves = decay ** length;
  for (let user = 1; user <= rows.users; user++) {
    if (user % EVERY === 0) await step?.(user, rows.users);
    const first = rows.offsets[user]!;
    const n = rows.offsets[user + 1]! - first;
    const weight = rows.weight.subarray(first, first + n);
    if (!weight.some((w) => w > 0)) continue;
    const target = (at: number, share: number, into: Float64Array): void => {
      if (weight[at]! > 0) addTarget(first + at, share * weight[at]!, into);
    };
    const own = ofUser(user);
    const items = Int32Array.from(rows.item.subarray(first, first + n), ofItem);
    z.fill(0);
    total.fill(0);
    for (let s = n - 1; s >= 0; s--) {
      // z is that of event s: the positions after it, the newest of which is the row s + 1.
      addInto(cross, items[s]! * columns, z);
      target(s, 1, total);
      if (s === 0) break;
      for (let j = 0; j < columns; j++) z[j] = z[j]! * decay;
      target(s, 1, z);
      if (s + length < n) target(s + length, -leaves, z);
    }
    for (let c = 0; c < own.length; c++) addInto(cross, own[c]! * columns, total);
    addPairs(gram, items, weight, own, decay, length);
  }
  return { gram, cross: Float32Array.from(cross), columns };
}

function addInto(matrix: Float64Array, at: number, row: Float64Array): void {
  for (let j = 0; j < row.length; j++) matrix[at + j]! += row[j]!;
}

/** A user's part of XᵀX. */
function addPairs(
  { data, stride }: BlockMatrix,
  items: Int32Array,
  weight: Float32Array,
  own: ArrayLike<number>,
  decay: number,
  length: number,
): void {
  const n = items.length;
  const square = decay * decay;
  const sums = (rate: number): Float64Array => {
    const after = new Float64Array(n + 1);
    for (let s = n - 2; s >= 0; s--) after[s] = weight[s + 1]! + rate * after[s + 1]!;
    return after;
  };
  // Over the positions after an event: Σ w d^(2 · age), Σ w d^age.
  const squares = sums(square);
  const singles = sums(decay);
  const leaves = decay ** length;
  for (let b = 0; b < n - 1; b++) {
    let share = 1;
    for (let a = b; a > b - length && a >= 0; a--) {
      // Of the positions after b, those that no longer see a.
      const gone = a + length < n ? square ** (a + length - b) * squares[a + length]! : 0;
      add(data, stride, items[a]!, items[b]!, share * (squares[b]! - gone), a === b);
      share *= decay;
    }
    const sum = singles[b]! - (b + length < n ? leaves * singles[b + length]! : 0);
    for (let c = 0; c < own.length; c++) add(data, stride, own[c]!, items[b]!, sum, true);
  }
  const all = weight.reduce((sum, w) => sum + w, 0);
  for (let c = 0; c < own.length; c++)
    for (let d = 0; d <= c; d++) add(data, stride, own[c]!, own[d]!, all, true);
}

/** Adds to the lower triangle; twice on the diagonal where two different events meet there. */
function add(data: Float64Array, stride: number, i: number, j: number, value: number, once: boolean): void {
  const at = i > j ? i * stride + j : j * stride + i;
  data[at]! += i === j && !once ? 2 * value : value;
}
