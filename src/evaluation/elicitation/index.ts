import { diverse } from './diverse.js';
import { gain } from './gain.js';
import { gradient } from './gradient.js';
import { entropy, popular, random } from './simple.js';
import type { Strategy } from './strategy.js';

/** Every way to choose what to ask a new user about. */
export const STRATEGIES = { popular, random, entropy, diverse, gradient, gain } as const satisfies Record<
  string,
  Strategy
>;
export type StrategyName = keyof typeof STRATEGIES;
export const STRATEGY_NAMES = Object.keys(STRATEGIES) as [StrategyName, ...StrategyName[]];
