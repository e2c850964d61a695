import type { Sample } from '../protocol/metrics.js';

/** What `/metrics` said at a moment, in seconds of any clock that runs evenly. */
export interface Scrape {
  readonly at: number;
  readonly samples: readonly Sample[];
}

/** The newest scrape, and what changed since an older one. */
export interface Window {
  readonly now: readonly Sample[];
  /** Counters: by how much they rose. Of gauges it says nothing. */
  readonly rise: readonly Sample[];
  /** Seconds between the two; 0 where there is one scrape only. */
  readonly seconds: number;
}

const keyOf = ({ name, labels }: Sample): string => JSON.stringify([name, Object.entries(labels)]);

/** By how much counters rose. One that fell was begun anew by a restart: it rose by all that it shows. */
export function risen(before: readonly Sample[], now: readonly Sample[]): Sample[] {
  const old = new Map(before.map((sample) => [keyOf(sample), sample.value]));
  return now.map((sample) => {
    const from = old.get(keyOf(sample)) ?? 0;
    return { ...sample, value: sample.value < from ? sample.value : sample.value - from };
  });
}

/** Adds a scrape and forgets what no window of so many seconds needs: the oldest one kept is the last that is as old as that. */
export function remember(scrapes: readonly Scrape[], next: Scrape, seconds: number): Scrape[] {
  const all = [...scrapes, next];
  const first = all.findLastIndex(({ at }) => next.at - at >= seconds);
  return all.slice(Math.max(0, first));
}

/** From the oldest scrape to the newest. */
export function windowOf(scrapes: readonly Scrape[]): Window {
  const [first, last] = [scrapes[0], scrapes.at(-1)];
  if (first === undefined || last === undefined) return { now: [], rise: [], seconds: 0 };
  if (first === last) return { now: last.samples, rise: [], seconds: 0 };
  return { now: last.samples, rise: risen(first.samples, last.samples), seconds: last.at - first.at };
}
