import type { Batch } from '../compute/step.js';
import { alignTimes } from '../model/times.js';
import { alignValues } from '../model/values.js';
import { alignRight, f32, i32 } from './batches.js';
import type { TrainRows } from './train-rows.js';

/** A history: the rows of a user from `start` to before `end`, of which a model reads the last. */
export interface History {
  readonly user: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Histories as a model reads them, right-aligned in `size` lines of `steps` places: `users` [B], `items` and `behaviours` [B, L],
 * `times` [B, L] where the rows have any, and `values` [B, L] where they have a centre. Lines and places that are left are padding.
 */
export function historyTensors(
  rows: Pick<TrainRows, 'item' | 'behaviour' | 'value' | 'time' | 'center'>,
  histories: readonly History[],
  size: number,
  steps: number,
): Batch {
  const users = new Int32Array(size);
  const items = new Int32Array(size * steps);
  const behaviours = new Int32Array(size * steps);
  const times = rows.time && new Int32Array(size * steps);
  const values = rows.center === undefined ? undefined : new Float32Array(size * steps);
  histories.forEach(({ user, start, end }, line) => {
    users[line] = user;
    alignRight(rows.item, start, end, items, line, steps);
    alignRight(rows.behaviour, start, end, behaviours, line, steps);
    if (rows.time) alignTimes(rows.time, start, end, times!, line, steps);
    if (values) alignValues(rows.value, start, end, values, line, steps, rows.center!);
  });
  return {
    users: i32(users, [size]),
    items: i32(items, [size, steps]),
    behaviours: i32(behaviours, [size, steps]),
    ...(times ? { times: i32(times, [size, steps]) } : {}),
    ...(values ? { values: f32(values, [size, steps]) } : {}),
  };
}
