import { type BlockMatrix, blockMatrix } from '../../compute/cholesky.js';
import type { TrainRows } from '../train-rows.js';

/**
 * What least squares need to know of inputs X [P × inputs] and targets Y [P × columns] at positions that count by their weights W. The
 * inputs of a position are the user's own ones, and Σ_t d^t over the `length` events before it of the event's item. Neither X nor Y is
 * ever made.
 */
export interface Moments {
  readonly columns: number;
  /** XᵀWX, its lower triangle. */
  readonly gram: BlockMatrix;
  /** XᵀWY [inputs × columns]. */
  readonly cross: Float32Array;
  /** Σ w ‖y‖², and Σ w. */
  readonly squares: number;
  readonly weight: number;
}

/** Targets of some rows, each by `each` entries [rows × each]: items and what they get. An item may stand there twice; 0 is none. */
export interface Targets {
  readonly each: number;
  readonly ids: Int32Array;
  readonly shares: Float32Array;
}

export interface MomentOptions {
  readonly inputs: number;
  readonly columns: number;
  readonly decay: number;
  readonly length: number;
  /** The inputs, each once, that are 1 at every position of a user. An item's input has the item's own number. */
  ofUser(user: number): readonly number[];
  /** Targets of `count` train rows from `first` on, good until the next call. */
  targets(first: number, count: number): Targets;
  /** Called every few users; may yield and may throw to stop. */
  step?(done: number, total: number): Promise<void> | void;
}

/** Users between two calls of `step`. */
const EVERY = 64;

/**
 * Collects them in one pass over the users. Event s is seen by the positions s + 1 … s + length, so its row of XᵀWY gets
 * z_s = Σ_n w_n d^(n − 1 − s) y_n over them, which follows from z_{s + 1}: d times that, with one position more and one less.
 */
export async function moments(rows: TrainRows, options: MomentOptions): Promise<Moments> {
  const { inputs, columns, decay, length, ofUser, step } = options;
  const gram = blockMatrix(inputs);
  const cross = new Float64Array(inputs * columns);
  const z = new Float64Array(columns);
  const total = new Float64Array(columns);
  const one = new Float64Array(columns);
  const gone = -(decay ** length);
  let squares = 0;
  let weight = 0;
  for (let user = 1; user <= rows.users; user++) {
    if (user % EVERY === 0) await step?.(user, rows.users);
    const first = rows.offsets[user]!;
    const n = rows.offsets[user + 1]! - first;
    const weights = rows.weight.subarray(first, first + n);
    if (!weights.some((w) => w > 0)) continue;
    const items = rows.item.subarray(first, first + n);
    const targets = options.targets(first, n);
    z.fill(0);
    total.fill(0);
    for (let s = n - 1; s >= 0; s--) {
      handOn(cross, items[s]! * columns, z, decay);
      addTargets(z, targets, s, weights[s]!);
      if (s + length < n) addTargets(z, targets, s + length, gone * weights[s + length]!);
      addTargets(total, targets, s, weights[s]!);
      squares += weights[s]! * squareOf(targets, s, one);
    }
    const own = ofUser(user);
    for (const input of own) addRow(cross, input * columns, total);
    addProducts(gram, items, weights, own, decay, length);
    weight += weights.reduce((sum, w) => sum + w, 0);
  }
  return { columns, gram, cross: Float32Array.from(cross), squares, weight };
}

function addRow(matrix: Float64Array, at: number, row: Float64Array): void {
  for (let j = 0; j < row.length; j++) matrix[at + j]! += row[j]!;
}

/** Adds z to a row, and makes z the next event's: by far the most of the time, so in one go. */
function handOn(matrix: Float64Array, at: number, z: Float64Array, decay: number): void {
  for (let j = 0; j < z.length; j++) {
    const value = z[j]!;
    matrix[at + j]! += value;
    z[j] = value * decay;
  }
}

function addTargets(into: Float64Array, { each, ids, shares }: Targets, row: number, weight: number): void {
  if (weight === 0) return;
  for (let k = row * each; k < (row + 1) * each; k++) into[ids[k]!]! += weight * shares[k]!;
}

/** ‖y‖² of a row; `one` is all 0, and left so. */
function squareOf({ each, ids, shares }: Targets, row: number, one: Float64Array): number {
  let sum = 0;
  for (let k = row * each; k < (row + 1) * each; k++) {
    const before = one[ids[k]!]!;
    one[ids[k]!] = before + shares[k]!;
    sum += shares[k]! * (2 * before + shares[k]!);
  }
  for (let k = row * each; k < (row + 1) * each; k++) one[ids[k]!] = 0;
  return sum;
}

/**
 * A user's part of XᵀWX. Events a ≤ b share the positions b + 1 … a + length, where they count w d^(n − 1 − a) d^(n − 1 − b): sums over
 * all later positions, less those over the ones that no longer see a.
 */
function addProducts(
  { data, stride }: BlockMatrix,
  items: Int32Array,
  weights: Float32Array,
  own: readonly number[],
  decay: number,
  length: number,
): void {
  const n = items.length;
  const add = (i: number, j: number, value: number): void => {
    data[i > j ? i * stride + j : j * stride + i]! += value;
  };
  const square = decay * decay;
  const squares = laterSums(weights, square);
  const singles = laterSums(weights, decay);
  for (let b = 0; b < n - 1; b++) {
    for (let a = b, share = 1; a >= 0 && a > b - length; a--, share *= decay) {
      const end = a + length;
      const sum = end < n ? squares[b]! - square ** (end - b) * squares[end]! : squares[b]!;
      // Two events of one item meet twice on its diagonal.
      add(items[a]!, items[b]!, a !== b && items[a] === items[b] ? 2 * share * sum : share * sum);
    }
    const end = b + length;
    const sum = end < n ? singles[b]! - decay ** length * singles[end]! : singles[b]!;
    for (const input of own) add(input, items[b]!, sum);
  }
  const all = weights.reduce((sum, w) => sum + w, 0);
  own.forEach((input, c) => {
    for (const other of own.slice(0, c + 1)) add(input, other, all);
  });
}

/** Σ_{n > s} w_n rate^(n − 1 − s) for each s. */
function laterSums(weights: Float32Array, rate: number): Float64Array {
  const sums = new Float64Array(weights.length);
  for (let s = weights.length - 2; s >= 0; s--) sums[s] = weights[s + 1]! + rate * sums[s + 1]!;
  return sums;
}
