import type { Dataset } from '../../data/dataset.js';
import { queryOf, type Task } from '../../data/tasks.js';
import type { Query } from '../../types.js';
import { gradedNdcg } from '../graded.js';

/** Foretells values for many users at once: those of `items` [queries × count] after each user's events. */
export type RateTasks = (
  queries: readonly Query[],
  items: Int32Array,
  count: number,
) => Promise<Float32Array>;

const KS = [1, 3, 5, 10];
/** Users asked about at once. */
const CHUNK = 256;

/**
 * Errors and rankings of each task's query events by their predicted values: mae, mse, ndcg@k with gain 2^value − 1 and
 * `ndcg_linear@k` with the value itself as the gain, one value a task.
 */
export async function ratingValues(
  rate: RateTasks,
  dataset: Dataset,
  tasks: readonly Task[],
): Promise<Map<string, Float32Array>> {
  const { item, value } = dataset.interactions;
  const columns = new Map<string, Float32Array>();
  const column = (name: string): Float32Array => {
    const found = columns.get(name) ?? new Float32Array(tasks.length);
    columns.set(name, found);
    return found;
  };
  for (let from = 0; from < tasks.length; from += CHUNK) {
    const chunk = tasks.slice(from, from + CHUNK);
    const count = chunk.reduce((most, { query }) => Math.max(most, query.length), 0);
    const queries = chunk.map(({ user, support }) => queryOf(dataset, user, support));
    const items = new Int32Array(chunk.length * count);
    chunk.forEach(({ query }, n) => {
      query.forEach((r, q) => {
        items[n * count + q] = item[r]!;
      });
    });
    const predicted = await rate(queries, items, count);
    chunk.forEach(({ query }, n) => {
      const own = predicted.subarray(n * count, n * count + query.length);
      const truth = Array.from(query, (r) => value[r]!);
      const errors = truth.map((y, q) => own[q]! - y);
      column('mae')[from + n] = errors.reduce((sum, e) => sum + Math.abs(e), 0) / query.length;
      column('mse')[from + n] = errors.reduce((sum, e) => sum + e * e, 0) / query.length;
      for (const k of KS) {
        column(`ndcg@${k}`)[from + n] = gradedNdcg(own, truth, k);
        column(`ndcg_linear@${k}`)[from + n] = gradedNdcg(own, truth, k, 'linear');
      }
    });
  }
  return columns;
}
