import type { Batch } from '../../compute/step.js';
import { i32, roundUp } from '../batches.js';
import { historyTensors } from '../histories.js';
import { knownUntil, type TrainRows } from '../train-rows.js';

/** A stretch of a user's train rows that a teacher is asked about at once: rows `start` … `end` − 1, each after those before it or its basket. */
export interface Stretch {
  readonly user: number;
  /** First row that is shown. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

/**
 * All train rows that are targets, in stretches of what a teacher of this length sees well: whole histories where they fit,
 * else halves of its length with the half before them, from the newest backwards. A teacher with one state a user is asked
 * about each row by itself.
 */
export function stretchesOf(rows: TrainRows, length: number, positional: boolean): Stretch[] {
  const out: Stretch[] = [];
  for (let user = 1; user <= rows.users; user++) {
    const first = rows.offsets[user]!;
    let end = rows.offsets[user + 1]!;
    while (end > first) {
      const whole = end - first <= length;
      const new_ = positional ? (whole ? length : Math.ceil(length / 2)) : 1;
      const start = Math.max(first, end - new_);
      // The row asked about last is not shown, and the others before it are, but for those of its basket.
      const from = Math.max(first, knownUntil(rows, end - 1) - length);
      if (rows.weight.subarray(start, end).some((w) => w > 0)) out.push({ user, from, start, end });
      end = start;
    }
  }
  return out;
}

/** Stretches as a teacher reads them. */
export interface Asked {
  /** Histories [B, L], and `positions` [P], flat in B · L and padded with 0. */
  readonly inputs: Batch;
  /** The train row that each position, but for the padding, is asked about. */
  readonly rows: Int32Array;
}

/** Lays at most `size` stretches out; few shapes: lengths in quarters of `length`, positions in halves of B × steps. */
export function layOut(rows: TrainRows, stretches: readonly Stretch[], size: number, length: number): Asked {
  // The row asked about last is not shown.
  const histories = stretches.map(({ user, from, end }) => ({
    user,
    start: from,
    end: knownUntil(rows, end - 1),
  }));
  const longest = stretches.reduce((m, s, n) => {
    const { end } = histories[n]!;
    return Math.max(m, end - s.from, end - Math.max(s.from, knownUntil(rows, s.start)) + 1);
  }, 1);
  const steps = Math.min(length, roundUp(longest, Math.ceil(length / 4)));
  const positions: number[] = [];
  const asked: number[] = [];
  stretches.forEach(({ start, end }, row) => {
    for (let r = start; r < end; r++) {
      const place = steps - 1 - (histories[row]!.end - knownUntil(rows, r));
      // Of a basket that is longer than what the teacher sees nothing before it is shown: it is not asked.
      if (rows.weight[r]! <= 0 || place < 0) continue;
      positions.push(row * steps + place);
      asked.push(r);
    }
  });
  const padded = new Int32Array(roundUp(positions.length, Math.ceil((size * steps) / 2)));
  padded.set(positions);
  return {
    inputs: { ...historyTensors(rows, histories, size, steps), positions: i32(padded, [padded.length]) },
    rows: Int32Array.from(asked),
  };
}
