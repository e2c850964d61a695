import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface DriveOptions {
  /** Pieces of work under way at a time. */
  readonly workers: number;
  /** Pieces begun a second (open loop); absent: each worker begins the next one when it has done the last (closed loop). */
  readonly rate?: number | undefined;
  /** Milliseconds, of the clock `now`, between which work is begun. */
  readonly from: number;
  readonly until: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/**
 * Does work at a rate or as fast as it goes, and says of each piece from when its time counts.
 *
 * With a rate each piece has its moment, `from + n / rate`. A piece that had to wait since all workers were busy counts from its moment, not
 * from when it was begun at last: a service that stalls is charged for everything that would have come meanwhile (coordinated omission, Tene 2013).
 * Where a worker was free the time counts from the beginning itself, so that the lateness of this process's timers is not the service's.
 *
 * @param work is given its number, from 0, the time from which it counts, and its moment (of a closed loop: when it is begun)
 * @returns pieces whose moment came, and that nobody was free to begin
 */
export async function drive(
  { workers, rate, from, until, now, signal }: DriveOptions,
  work: (index: number, since: number, moment: number) => Promise<void>,
): Promise<{ readonly notBegun: number }> {
  let next = 0;
  setMaxListeners(0, signal);
  const worker = async (): Promise<void> => {
    while (!signal.aborted) {
      const free = now();
      const moment = rate === undefined ? free : from + (next * 1000) / rate;
      if (free >= until || moment >= until) return;
      const index = next++;
      if (moment > now()) await sleep(moment - now(), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await work(index, moment < free ? moment : now(), moment);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  if (rate === undefined || signal.aborted) return { notBegun: 0 };
  let due = Math.ceil(((until - from) * rate) / 1000);
  // As the workers reckon moments, to the last digit.
  if (from + ((due - 1) * 1000) / rate >= until) due--;
  return { notBegun: Math.max(0, due - next) };
}
