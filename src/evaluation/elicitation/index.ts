import { diverse } from './diverse.js';
import { gain } from './gain.js';
import { gradient } from './gradient.js';
import { entropy, popular, random } from './simple.js';
import type { Elicitation, Strategy } from './strategy.js';
import { chain, type Question, tree } from './tree.js';

/** Every way to choose a list of questions. */
const LISTS = { popular, random, entropy, diverse, gradient, gain } as const satisfies Record<
  string,
  Strategy
>;
/** Every way to choose what to ask a new user about; with `tree` it depends on the answers before. */
export const STRATEGY_NAMES = [...(Object.keys(LISTS) as (keyof typeof LISTS)[]), 'tree'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** The first question, with those that follow. */
export async function questions(name: StrategyName, given: Elicitation): Promise<Question | undefined> {
  return name === 'tree' ? tree(given) : chain(await LISTS[name](given));
}
