import { RecsysError } from '../errors.js';
import type { Query } from '../types.js';

/** Farther apart (34 years) counts as this far: two such times differ by what int32 holds. */
const FARTHEST = 2 ** 30 - 1;

/**
 * Times of the events before `end` (at most `steps` of them, not before `start`), right-aligned into row `row` of [B, steps]: whole
 * seconds after the newest of them (so 0 and less, where they are in order). Only their differences mean anything.
 *
 * @param source milliseconds since the epoch
 */
export function alignTimes(
  source: Float64Array,
  start: number,
  end: number,
  into: Int32Array,
  row: number,
  steps: number,
): void {
  const n = Math.min(steps, end - start);
  const second = (at: number): number => Math.floor(source[at]! / 1000);
  for (let t = 0; t < n; t++) {
    const after = second(end - n + t) - second(end - 1);
    into[(row + 1) * steps - n + t] = Math.max(-FARTHEST, Math.min(FARTHEST, after));
  }
}

/** Times of the queries' events, [queries × steps], as `alignTimes` makes them. Throws DATA_EMPTY where events have none. */
export function packTimes(queries: readonly Query[], steps: number): Int32Array {
  const into = new Int32Array(queries.length * steps);
  queries.forEach(({ times, items }, row) => {
    if (times) alignTimes(times, 0, items.length, into, row, steps);
    else if (items.length > 0) throw withoutTimes('a history');
  });
  return into;
}

/** What to say of data without the times that a model reads. */
export function withoutTimes(what: string): RecsysError {
  const message = `model.relativeTime: the model reads the times of events, and ${what} has none`;
  return new RecsysError('DATA_EMPTY', message, {
    remedy:
      'Map a `time` column in `recsys prepare`, give a `time` with each event of a history, or train a model with `relativeTime: false`.',
  });
}
