import { setTimeout as sleep } from 'node:timers/promises';
import { type RecsysClient, ServiceError } from '../client/index.js';
import type { Random } from '../random.js';
import { Histogram, type Quantiles } from './histogram.js';
import type { Population } from './population.js';
import { learnerState } from './scrape.js';

/** How soon an event shows, in milliseconds from its sending. */
export interface ChangedTimes {
  /** Until the end of the first answer to the event's user, seen for the first time, that is no fallback: it follows from the event. */
  readonly list: Quantiles;
  /** Until `/metrics` says that the learner has done what waited when that list was answered, this event among it: the parameters follow from it. */
  readonly model: Quantiles;
  /** Probes of which one or the other was not seen within `PATIENCE_MS`. */
  readonly unseen: number;
}

const PATIENCE_MS = 10_000;
const PAUSE_MS = 200;
const POLL_MS = 5;

/** Sends one event after the other, each for a user never seen before, and looks when it shows. Until the signal is aborted. */
export async function probe(
  client: RecsysClient,
  population: Population,
  options: { readonly name: string; readonly random: Random; readonly signal: AbortSignal },
): Promise<ChangedTimes> {
  const { name, random, signal } = options;
  const [list, model] = [new Histogram(), new Histogram()];
  let unseen = 0;
  for (let n = 0; !signal.aborted; n++) {
    try {
      const user = `${name}-${n}`;
      const sent = performance.now();
      await client.event({ ...population.event(random), id: user, user }, { signal });
      const listed = await shows(sent, signal, 0, async () => {
        return !(await client.recommendations(user, {}, { signal })).fallback;
      });
      if (listed !== undefined) list.add(listed);
      const since = learnerState(await client.metrics({ signal }));
      const learned = await shows(sent, signal, POLL_MS, async () => {
        const { lag, done } = learnerState(await client.metrics({ signal }));
        return lag === 0 || done >= since.done + since.lag;
      });
      if (learned !== undefined) model.add(learned);
      if (listed === undefined || learned === undefined) unseen++;
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof ServiceError)) throw error;
      unseen++;
    }
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
  return { list: list.quantiles(), model: model.quantiles(), unseen };
}

/** Milliseconds from `sent` to the end of the first look that sees it; undefined where none does in time. */
async function shows(
  sent: number,
  signal: AbortSignal,
  pause: number,
  look: () => Promise<boolean>,
): Promise<number | undefined> {
  while (performance.now() - sent < PATIENCE_MS) {
    if (await look()) return performance.now() - sent;
    await sleep(pause, undefined, { signal });
  }
  return undefined;
}
