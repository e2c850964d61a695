import { Random } from '../random.js';
import type { TrainRows } from './train-rows.js';

/** Stretches of users' histories that are trained on, each as one row of a batch. */
export interface Windows {
  readonly user: Int32Array;
  readonly start: Int32Array;
  /** One past the last event. */
  readonly end: Int32Array;
}

/**
 * Cuts each user's events, from the newest backwards, into windows of `length` new events, each with up to `before` events that
 * stand before them; those without a target are left out.
 */
export function cutWindows(rows: TrainRows, length: number, before: number): Windows {
  const user: number[] = [];
  const start: number[] = [];
  const end: number[] = [];
  for (let u = 1; u <= rows.users; u++) {
    const first = rows.offsets[u]!;
    for (let last = rows.offsets[u + 1]!; last > first; last -= length) {
      const from = Math.max(first, last - length - before);
      let targets = false;
      for (let r = from === first ? first : from + before; r < last && !targets; r++)
        targets = rows.weight[r]! > 0;
      if (!targets) continue;
      user.push(u);
      start.push(from);
      end.push(last);
    }
  }
  return { user: Int32Array.from(user), start: Int32Array.from(start), end: Int32Array.from(end) };
}

/** Batches of one epoch share a pool of this many batches whose windows are sorted by length, so that little is padding. */
const POOL = 16;

/** Windows in batch order: shuffled, sorted by length inside pools, then the batches shuffled. */
export function epochOrder(windows: Windows, size: number, seed: number, epoch: number): Int32Array {
  const rng = Random.of(seed, 'order', epoch);
  const n = windows.user.length;
  const order = rng.shuffle(Int32Array.from({ length: n }, (_, i) => i));
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
