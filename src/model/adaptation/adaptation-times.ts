import { callTimes, percentile } from '../../compute/timing.js';
import type { Query } from '../../types.js';
import type { Adapter } from '../user-states.js';

/** Milliseconds to adapt to one user at a time, as they are asked for: median and 99th percentile; and the state's numbers. */
export async function adaptationTimes(
  adapter: Adapter,
  queries: readonly Query[],
): Promise<{ state: number; p50: number; p99: number }> {
  const times = await callTimes(queries.map((query) => () => adapter.adapt([query])));
  return { state: adapter.width, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}
