import { RecsysError } from '../errors.js';
import type { Adapter } from '../model/user-states.js';
import type { Query, Scorer } from '../types.js';
import { inBatches } from './batches.js';
import { type Candidates, notANumber } from './rank.js';
import { bestItems, type TopK } from './topk.js';

/** One user to be recommended to. */
export interface ListRequest {
  /** External id, handed through. */
  readonly user: string;
  readonly query: Query;
}

export interface ListOptions {
  readonly k: number;
  readonly batchSize: number;
  readonly candidates: Candidates;
  /** Leave out the history's items. */
  readonly filterSeen: boolean;
  readonly signal: AbortSignal;
}

export interface RecommendedList extends TopK {
  readonly user: string;
}

/**
 * The best items of each user, in the order of the requests. Memory: one batch of requests and their scores.
 *
 * @throws DIVERGED where a candidate's score is NaN, INTERRUPTED once the signal is aborted
 */
export async function* recommendLists(
  scorer: Scorer,
  requests: Iterable<ListRequest> | AsyncIterable<ListRequest>,
  options: ListOptions,
): AsyncGenerator<RecommendedList> {
  for await (const batch of inBatches(requests, options.batchSize)) yield* listsOf(scorer, batch, options);
}

async function* listsOf(
  scorer: Scorer,
  batch: readonly ListRequest[],
  options: ListOptions,
): AsyncGenerator<RecommendedList> {
  refuseAborted(options.signal);
  const scores = await scorer.score(batch.map(({ query }) => query));
  for (const [row, { user, query }] of batch.entries()) {
    const barred = options.filterSeen ? query.items : new Int32Array(0);
    yield { user, ...bestOf(scores, scorer, row, barred, options) };
  }
}

/** One user whose state is known. */
export interface StateRequest {
  readonly user: string;
  readonly state: Float32Array;
}

/**
 * The best items of each user from their states, nothing left out: a state does not say what was seen.
 * @throws as `recommendLists`
 */
export async function* recommendFromStates(
  adapter: Pick<Adapter, 'width' | 'rank'>,
  of: Pick<Scorer, 'name' | 'items'>,
  batches: AsyncIterable<readonly StateRequest[]>,
  options: Omit<ListOptions, 'filterSeen' | 'batchSize'>,
): AsyncGenerator<RecommendedList> {
  for await (const batch of batches) {
    refuseAborted(options.signal);
    const states = new Float32Array(batch.length * adapter.width);
    batch.forEach(({ state }, row) => {
      states.set(state, row * adapter.width);
    });
    const scores = await adapter.rank(states);
    for (const [row, { user }] of batch.entries())
      yield { user, ...bestOf(scores, of, row, new Int32Array(0), options) };
  }
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new RecsysError('INTERRUPTED', 'recommend was interrupted; nothing was written');
}

function bestOf(
  scores: Float32Array,
  { name, items }: Pick<Scorer, 'name' | 'items'>,
  row: number,
  barred: Int32Array,
  { k, candidates }: Pick<ListOptions, 'k' | 'candidates'>,
): TopK {
  const base = row * (items + 1);
  for (let item = 1; item <= items; item++) {
    if (Number.isNaN(scores[base + item]!) && (candidates === 'all' || candidates[item] === 1))
      throw notANumber(name, item);
  }
  return bestItems(scores, items, row, k, barred, candidates);
}
