import type { BaselineDefinition } from './baseline.js';
import { ease } from './ease.js';
import { itemknn } from './itemknn.js';
import { lastSeen } from './last-seen.js';
import { mostSeen } from './most-seen.js';
import { popularity } from './popularity.js';
import { recentPopularity } from './recent-popularity.js';

export const BASELINES = [
  'popularity',
  'recent-popularity',
  'itemknn',
  'ease',
  'last-seen',
  'most-seen',
] as const;
/** Those of every comparison; the others have something to say only where seen items stay in the ranking. */
export const SHOWN: readonly BaselineName[] = BASELINES.filter((name) => !name.endsWith('-seen'));
export type BaselineName = (typeof BASELINES)[number];

export const baselines = {
  popularity,
  'recent-popularity': recentPopularity,
  itemknn,
  ease,
  'last-seen': lastSeen,
  'most-seen': mostSeen,
} as const satisfies Record<BaselineName, BaselineDefinition>;
