import type { BaselineDefinition } from './baseline.js';
import { ease } from './ease.js';
import { itemknn } from './itemknn.js';
import { popularity } from './popularity.js';
import { recentPopularity } from './recent-popularity.js';

export const BASELINES = ['popularity', 'recent-popularity', 'itemknn', 'ease'] as const;
export type BaselineName = (typeof BASELINES)[number];

export const baselines = {
  popularity,
  'recent-popularity': recentPopularity,
  itemknn,
  ease,
} as const satisfies Record<BaselineName, BaselineDefinition>;
