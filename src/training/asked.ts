import type { Batch } from '../compute/step.js';
import type { Random } from '../random.js';
import { i32 } from './batches.js';

/**
 * What is asked for, `asked` [B, L]: at each of the flat positions its target's behaviour (index + 1), but at a share `unasked` of
 * them 0, drawn by chance, so that a model also learns what comes next of any behaviour; 0 elsewhere.
 */
export function askedFor(
  positions: ArrayLike<number>,
  behaviours: ArrayLike<number>,
  [size, steps]: readonly [number, number],
  unasked: number,
  rng: Random,
): Batch {
  const asked = new Int32Array(size * steps);
  for (let i = 0; i < behaviours.length; i++)
    if (rng.uniform() >= unasked) asked[positions[i]!] = behaviours[i]!;
  return { asked: i32(asked, [size, steps]) };
}
