import type { Reason } from '../protocol/recommendations.js';
import type { Catalogue, Contributions, Query } from '../types.js';
import type { OnlineLearner } from './learner.js';

/** Newest events that are left out one after the other. */
const LEFT_OUT = 20;
/** Reasons of an item. */
const MOST = 3;

interface Model {
  readonly catalogue: Pick<Catalogue, 'items' | 'behaviours'>;
  readonly learner: Pick<OnlineLearner, 'contributions'>;
  score(query: Query): Promise<Float32Array>;
  readonly adapter: string | undefined;
}

/**
 * For each item of a list the events that carried it most: exactly where a score is a sum over events (`linear`, `sparse-linear`), else by what
 * the score loses when one of the newest events is left out.
 * @param scores [items + 1] of the query
 */
export async function reasonsOf(
  query: Query,
  items: Int32Array,
  scores: Float32Array,
  { catalogue, learner, score, adapter }: Model,
): Promise<Reason[][]> {
  if (query.items.length === 0 || items.length === 0) return Array.from(items, () => []);
  const { events, values } =
    learner.contributions && adapter === undefined
      ? await learner.contributions(query, items)
      : await leftOut(query, items, scores, score);
  return Array.from(items, (_, i) => {
    const parts = events
      .map((event, e) => ({ event, value: values[e * items.length + i]! }))
      .filter(({ value }) => value > 0)
      .sort((a, b) => b.value - a.value || b.event - a.event);
    const total = parts.reduce((sum, { value }) => sum + value, 0);
    return parts.slice(0, MOST).map(({ event, value }) => ({
      item: catalogue.items[query.items[event]!]!,
      behaviour: catalogue.behaviours[query.behaviours[event]!]!,
      share: value / total,
    }));
  });
}

/** What the scores lose without each of the newest events. */
export async function leftOut(
  query: Query,
  items: Int32Array,
  scores: Float32Array,
  score: (query: Query) => Promise<Float32Array>,
): Promise<Contributions> {
  const { length } = query.items;
  const events = Array.from({ length: Math.min(LEFT_OUT, length) }, (_, i) => length - 1 - i);
  const values = new Float32Array(events.length * items.length);
  for (const [e, event] of events.entries()) {
    const without = await score(withoutEvent(query, event));
    for (const [i, item] of items.entries()) values[e * items.length + i] = scores[item]! - without[item]!;
  }
  return { events, values };
}

function withoutEvent({ items, behaviours, times, values, ...rest }: Query, event: number): Query {
  const kept = (_: unknown, i: number): boolean => i !== event;
  return {
    ...rest,
    items: items.filter(kept),
    behaviours: behaviours.filter(kept),
    ...(times ? { times: times.filter(kept) } : {}),
    ...(values ? { values: values.filter(kept) } : {}),
  };
}
