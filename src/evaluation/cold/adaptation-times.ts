import type { Adapter } from '../../model/user-states.js';
import type { Query } from '../../types.js';

/** Milliseconds to adapt to one user at a time, as they are asked for: median and 99th percentile; and the state's numbers. */
export async function adaptationTimes(
  adapter: Adapter,
  queries: readonly Query[],
): Promise<{ state: number; p50: number; p99: number }> {
  // Once beforehand: a length that was not met before is recorded first.
  for (const query of queries) await adapter.adapt([query]);
  const times: number[] = [];
  for (const query of queries) {
    const from = performance.now();
    await adapter.adapt([query]);
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
  return { state: adapter.width, p50: at(0.5), p99: at(0.99) };
}
