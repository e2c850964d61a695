import { type Choice, choose, type Open } from '../../model/policy/choice.js';
import { Random } from '../../random.js';
import type { ExplorationConfig } from './schema.js';

/** Fills a place of a list; items are rows of the catalogue. */
export type Chooser = (items: readonly number[], worth: Float64Array) => Choice;

/** How lists explore: a policy, and the chance that it draws from. */
export class Exploration {
  constructor(
    readonly config: ExplorationConfig,
    private readonly seed: number,
  ) {}

  /** Whether chance has a part in lists. */
  get explores(): boolean {
    return this.config.kind !== 'none';
  }

  /**
   * What fills the places of one list, from the first to the last. The same request draws the same.
   * @param counts [items + 1] interactions by item
   */
  chooser(requestId: string, counts: Float32Array): Chooser {
    const random = Random.of(this.seed, 'exploration', requestId);
    return (items, worth) => {
      const open: Open = { worth, counts: Float64Array.from(items, (item) => counts[item]!) };
      return choose(this.config, open, random);
    };
  }
}

/** Fills places by the best. */
export const greedy: Chooser = (_, worth) => {
  let at = 0;
  for (let i = 1; i < worth.length; i++) if (worth[i]! > worth[at]!) at = i;
  return { at, propensity: 1 };
};
