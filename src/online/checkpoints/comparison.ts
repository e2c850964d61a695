import { writeEventHash } from '../../data/events.js';
import type { Catalogue, Query } from '../../types.js';
import { type Interval, meanByUser } from '../intervals.js';
import type { FrozenModel } from '../learner.js';
import { gainOf, rankOf } from '../prequential.js';
import { turn } from '../turn.js';
import type { RankedEvent } from './ranked-events.js';

/** A checkpoint that may be served. */
export interface Candidate {
  readonly model: Pick<FrozenModel, 'columns' | 'score'>;
  readonly catalogue: Pick<Catalogue, 'items' | 'users' | 'behaviours'>;
  /** Sorted hashes of the events it was trained on. */
  readonly trainedEvents: BigUint64Array;
}

/** A candidate against what is served, on the same events. Each of another user's, with intervals over users. */
export interface CandidateComparison {
  readonly k: number;
  /** Events that both ranked. */
  readonly events: number;
  readonly users: number;
  /** Events left out, because the candidate was trained on them. */
  readonly trained: number;
  /** Events among `events` on items that the candidate does not know: it misses them. */
  readonly unknown: number;
  /** NDCG@k. */
  readonly served: Interval;
  readonly candidate: Interval;
  /** The candidate's minus that of what is served, event by event. */
  readonly difference: Interval;
}

const K = 10;
/** Events scored between two turns of the event loop. */
const SLICE = 4;

/**
 * Ranks events with a candidate as they were ranked with what was served: by the history before the event, among the items that were known then, without those of
 * the history unless `includeSeen`. What the candidate does not know of a history it does not read.
 */
export async function compareOn(
  events: readonly RankedEvent[],
  catalogue: Pick<Catalogue, 'items' | 'users' | 'behaviours'>,
  { model, catalogue: own, trainedEvents }: Candidate,
  includeSeen: boolean,
): Promise<CandidateComparison> {
  const fresh = events.filter(({ example }) => !isIn(trainedEvents, example));
  const items = indicesIn(own.items, catalogue.items);
  const behaviours = indicesIn(own.behaviours, catalogue.behaviours, -1);
  const users = new Map(own.users.map((user, i) => [user, i]));
  const asked = fresh.map(({ example: { query, event } }) =>
    translated(query, items, behaviours, users.get(event.user) ?? 0),
  );
  const gains = new Float64Array(fresh.length);
  let unknown = 0;
  for (let from = 0; from < fresh.length; from += SLICE) {
    const scores = await model.score(asked.slice(from, from + SLICE));
    for (const [row, { example }] of fresh.slice(from, from + SLICE).entries()) {
      const { item, known, query } = example;
      if (items[item] === 0) {
        unknown++;
        continue;
      }
      const as = new Float32Array(known).fill(Number.NEGATIVE_INFINITY);
      for (let one = 1; one < known; one++)
        if (items[one]! > 0) as[one] = scores[row * model.columns + items[one]!]!;
      const barred = new Uint8Array(catalogue.items.length);
      if (!includeSeen) for (const one of query.items) barred[one] = 1;
      gains[from + row] = gainOf(rankOf(as, 0, known, item, barred), K);
    }
    await turn();
  }
  const of = fresh.map(({ example }) => example.event.user);
  const served = fresh.map(({ rank }) => gainOf(rank, K));
  const candidate = [...gains];
  return {
    k: K,
    events: fresh.length,
    users: new Set(of).size,
    trained: events.length - fresh.length,
    unknown,
    served: meanByUser(served, of),
    candidate: meanByUser(candidate, of),
    difference: meanByUser(
      candidate.map((gain, i) => gain - served[i]!),
      of,
    ),
  };
}

/** Where names of one list stand in another, by their place; `none` where they do not. */
function indicesIn(own: readonly string[], names: readonly string[], none = 0): Int32Array {
  const index = new Map(own.map((name, i) => [name, i]));
  // Free rows have no name, and padding stands for none.
  return Int32Array.from(names, (name) => index.get(name) ?? none);
}

function translated(query: Query, items: Int32Array, behaviours: Int32Array, user: number): Query {
  const { asks, times, values } = query;
  const kept = Array.from(query.items.keys()).filter(
    (at) => items[query.items[at]!]! > 0 && behaviours[query.behaviours[at]!]! >= 0,
  );
  const asked = asks === undefined ? -1 : behaviours[asks]!;
  return {
    user,
    items: Int32Array.from(kept, (at) => items[query.items[at]!]!),
    behaviours: Uint8Array.from(kept, (at) => behaviours[query.behaviours[at]!]!),
    ...(times ? { times: Float64Array.from(kept, (at) => times[at]!) } : {}),
    ...(values ? { values: Float32Array.from(kept, (at) => values[at]!) } : {}),
    ...(asked >= 0 ? { asks: asked } : {}),
  };
}

function isIn(sorted: BigUint64Array, { event }: RankedEvent['example']): boolean {
  const one = new BigUint64Array(1);
  writeEventHash(new Uint32Array(one.buffer), 0, event);
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < one[0]!) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === one[0];
}
