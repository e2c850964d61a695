import type { VariantOf } from '../../protocol/impressions.js';
import type { FallbackReason } from '../../protocol/recommendations.js';
import type { Catalogue, Query } from '../../types.js';
import type { List } from '../lists/lists.js';
import type { Impression, PastEvent } from './record.js';

/** A list that is served, and how it came about. */
export interface Served {
  readonly requestId: string;
  readonly user?: string | undefined;
  readonly modelVersion: string;
  readonly adapter?: string | undefined;
  readonly behaviour?: string | undefined;
  readonly fallbackReason?: FallbackReason | undefined;
  readonly list: List;
  readonly variant?: VariantOf | undefined;
  /** How its places were filled; undefined for a list that was made before. */
  readonly policy: string | undefined;
  readonly query: Query;
}

/**
 * A list as it is logged.
 * @param length longest history that scores follow from
 */
export function impressionOf(
  served: Served,
  catalogue: Pick<Catalogue, 'items' | 'behaviours'>,
  length: number,
): Omit<Impression, 'time'> {
  const { requestId, modelVersion, list, policy, query } = served;
  const id = (item: number): string => catalogue.items[item]!;
  const { user, adapter, behaviour, fallbackReason, variant } = served;
  return {
    type: 'impression',
    requestId,
    ...(user === undefined ? {} : { user }),
    modelVersion,
    policy: policy ?? 'last list',
    items: Array.from(list.items, (item, i) => ({
      item: id(item),
      ...(policy === undefined ? {} : { propensity: list.propensities[i]! }),
    })),
    ...(list.pool === list.items ? {} : { pool: Array.from(list.pool, id) }),
    history: historyOf(query, catalogue, length),
    ...(adapter === undefined ? {} : { adapter }),
    ...(behaviour === undefined ? {} : { behaviour }),
    ...(fallbackReason === undefined ? {} : { fallbackReason }),
    ...(variant ? { variant } : {}),
    ...(list.reranked ? { reranked: true } : {}),
  };
}

function historyOf(
  { items, behaviours, times, values }: Query,
  catalogue: Pick<Catalogue, 'items' | 'behaviours'>,
  length: number,
): PastEvent[] {
  const from = Math.max(0, items.length - length);
  return Array.from(items.subarray(from), (item, i) => {
    const value = values?.[from + i];
    return {
      item: catalogue.items[item]!,
      behaviour: catalogue.behaviours[behaviours[from + i]!]!,
      ...(times ? { time: times[from + i]! } : {}),
      ...(value === undefined || Number.isNaN(value) ? {} : { value }),
    };
  });
}
