import { join } from 'node:path';
import type { Side } from './attributes.js';

/** Files of a dataset directory, relative to it. */
export const FILES = {
  manifest: 'manifest.json',
  interactions: 'interactions.parquet',
  /** Only where impressions are kept. */
  impressions: 'impressions.parquet',
  rejected: 'rejected.csv',
  features: 'features.safetensors',
  scalings: 'features.json',
  behaviours: join('vocabulary', 'behaviours.jsonl'),
  entities: { users: 'users.parquet', items: 'items.parquet' } satisfies Record<Side, string>,
  ids: {
    users: join('vocabulary', 'users.jsonl'),
    items: join('vocabulary', 'items.jsonl'),
  } satisfies Record<Side, string>,
  tokens: {
    users: join('vocabulary', 'user_tokens.jsonl'),
    items: join('vocabulary', 'item_tokens.jsonl'),
  } satisfies Record<Side, string>,
} as const;
