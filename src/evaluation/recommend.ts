import { RecsysError } from '../errors.js';
import type { Query, Scorer } from '../types.js';
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
  let batch: ListRequest[] = [];
  for await (const request of requests) {
    batch.push(request);
    if (batch.length < options.batchSize) continue;
    yield* listsOf(scorer, batch, options);
    batch = [];
  }
  if (batch.length > 0) yield* listsOf(scorer, batch, options);
}

async function* listsOf(
  scorer: Scorer,
  batch: readonly ListRequest[],
  options: ListOptions,
): AsyncGenerator<RecommendedList> {
  if (options.signal.aborted) {
    throw new RecsysError('INTERRUPTED', 'recommend was interrupted; nothing was written');
  }
  const scores = await scorer.score(batch.map(({ query }) => query));
  for (const [row, { user, query }] of batch.entries()) {
    refuseNaN(scores, scorer, row, options.candidates);
    const barred = options.filterSeen ? query.items : new Int32Array(0);
    yield { user, ...bestItems(scores, scorer.items, row, options.k, barred, options.candidates) };
  }
}

function refuseNaN(scores: Float32Array, scorer: Scorer, row: number, candidates: Candidates): void {
  const base = row * (scorer.items + 1);
  for (let item = 1; item <= scorer.items; item++) {
    if (Number.isNaN(scores[base + item]!) && (candidates === 'all' || candidates[item] === 1)) {
      throw notANumber(scorer.name, item);
    }
  }
}
