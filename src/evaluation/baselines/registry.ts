import type { BaselineDefinition } from './baseline.js';
import { ease } from './ease.js';
import { itemknn } from './itemknn.js';
import { lastSeen } from './last-seen.js';
import { mostSeen } from './most-seen.js';
import { popularity } from './popularity.js';
import { recentPopularity } from './recent-popularity.js';

/** Those of every comparison. */
export const SHOWN = ['popularity', 'recent-popularity', 'itemknn', 'ease'] as const;
/** With those that have something to say only where seen items stay in the ranking. */
export const BASELINES = [...SHOWN, 'last-seen', 'most-seen'] as const;
export type BaselineName = (typeof BASELINES)[number];

export const baselines = {
  popularity,
  'recent-popularity': recentPopularity,
  itemknn,
  ease,
  'last-seen': lastSeen,
  'most-seen': mostSeen,
} as const satisfies Record<BaselineName, BaselineDefinition>;
