/** Milliseconds that each call takes, one after the other, ascending; all are made once beforehand, so that nothing is recorded while timed. */
export async function callTimes(calls: readonly (() => Promise<unknown>)[]): Promise<number[]> {
  for (const call of calls) await call();
  const times: number[] = [];
  for (const call of calls) {
    const from = performance.now();
    await call();
    times.push(performance.now() - from);
  }
  return times.sort((a, b) => a - b);
}

/** The time that this share of the calls keep within: times ascending, at least one. */
export function percentile(times: readonly number[], share: number): number {
  return times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
}
