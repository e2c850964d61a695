import type { Scorer } from '../types.js';
import type { Evaluation } from './queries.js';
import { bestItems } from './topk.js';

const WARM_UP = 3;

/**
 * Median milliseconds of a single request: scores of the whole catalogue for one user, then the top list without the seen.
 *
 * @param requests queries timed, evenly spread over the evaluation's
 */
export async function requestMilliseconds(
  scorer: Scorer,
  evaluation: Evaluation,
  candidates: Uint8Array,
  requests: number,
  k = 10,
): Promise<number> {
  const count = Math.min(requests, evaluation.queries.length);
  const times: number[] = [];
  for (let i = -WARM_UP; i < count; i++) {
    const index = Math.floor((Math.max(0, i) * evaluation.queries.length) / count);
    const start = performance.now();
    const scores = await scorer.score([evaluation.queries[index]!]);
    bestItems(scores, scorer.items, 0, k, evaluation.seen[index]!, candidates);
    if (i >= 0) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const middle = times.length >> 1;
  return times.length % 2 === 1 ? times[middle]! : (times[middle - 1]! + times[middle]!) / 2;
}
