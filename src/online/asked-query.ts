import type { RecommendRequest } from '../protocol/recommendations.js';
import type { Query } from '../types.js';
import { invalid } from './events.js';
import type { OpenCatalogue } from './open-catalogue.js';
import type { UserHistories } from './users.js';

/** What events of a request are read by. */
export interface KnownHere {
  readonly histories: UserHistories;
  readonly items: Pick<OpenCatalogue, 'get'>;
  readonly behaviourIndex: ReadonlyMap<string, number>;
}

/**
 * The history that a request asks by: its user's, followed by the events that it brings.
 * @param unknown takes the ids of items that are not in the catalogue
 * @throws ReplyError 400 for an event without a time where the model reads times
 */
export function askedQuery(
  request: RecommendRequest,
  { histories, items: known, behaviourIndex }: KnownHere,
  unknown: string[],
): Query {
  const base = histories.query(request.user ?? '');
  if (!request.history || request.history.length === 0) return base;
  const items = [...base.items];
  const behaviours = [...base.behaviours];
  const times = [...(base.times ?? [])];
  const values = [...(base.values ?? [])];
  for (const [index, entry] of request.history.entries()) {
    const {
      item: id,
      behaviour,
      time,
      value = Number.NaN,
    } = typeof entry === 'string' ? { item: entry } : entry;
    if (histories.keeps.times && time === undefined)
      throw invalid([
        { field: `history.${index}.time`, message: 'is missing; the model reads the times of events' },
      ]);
    const item = known.get(id);
    if (item === undefined) {
      unknown.push(id);
      continue;
    }
    items.push(item);
    behaviours.push(behaviourIndex.get(behaviour ?? '') ?? 0);
    if (histories.keeps.times) times.push(time!);
    if (histories.keeps.values) values.push(value);
  }
  return {
    user: base.user,
    items: Int32Array.from(items),
    behaviours: Uint8Array.from(behaviours),
    ...(histories.keeps.times ? { times: Float64Array.from(times) } : {}),
    ...(histories.keeps.values ? { values: Float32Array.from(values) } : {}),
  };
}
