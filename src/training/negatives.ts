import type { Batch } from '../compute/step.js';
import type { LossNeed } from '../model/losses/loss.js';
import type { Random } from '../random.js';
import { f32, i32 } from './batches.js';

export interface NegativeOptions {
  readonly need: readonly LossNeed[];
  /** How many: in all when shared, for each position when own. */
  readonly count: number;
  /** Items of the catalogue (1 … items). */
  readonly items: number;
}

/** Uniform negatives in the form a next-item loss needs, drawn anew for every batch. Own ones differ from their target. */
export function drawNegatives(
  targets: Int32Array,
  options: NegativeOptions,
  rng: Random,
): Record<string, Batch[string]> {
  const { need, items } = options;
  if (need.includes('sharedNegatives')) {
    const count = Math.min(options.count, items);
    const drawn = Int32Array.from({ length: count }, () => 1 + rng.int(items));
    return {
      negatives: i32(drawn, [count]),
      logSampling: f32(Float32Array.of(Math.log(items / count)), [1]),
    };
  }
  if (need.includes('ownNegatives')) {
    const { count } = options;
    const drawn = new Int32Array(targets.length * count);
    for (let i = 0; i < drawn.length; i++) {
      const target = targets[Math.floor(i / count)]!;
      // Uniform over the others: drawn among one fewer, and the target's place skipped.
      const item = 1 + rng.int(Math.max(1, items - 1));
      drawn[i] = target > 0 && item >= target && items > 1 ? item + 1 : item;
    }
    return { negatives: i32(drawn, [targets.length, count]) };
  }
  return {};
}
