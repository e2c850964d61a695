import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Event, RecsysClient } from '../../client/index.js';
import { RecsysError } from '../../errors.js';
import { Random } from '../../random.js';
import type { Failpoint } from '../../storage/failpoints.js';
import type { Catalogue, StageContext } from '../../types.js';
import { drive } from '../drive.js';
import { learnerState } from '../scrape.js';
import { asRecsysError } from '../service.js';
import { type ChildOptions, type ServedResult, ServiceChild } from './child.js';
import { type Death, deaths, startedFor } from './deaths.js';
import type { ChaosConfig, StormConfig } from './schema.js';

/** One death of the service. */
export interface Kill {
  /** Seconds since the storm began. */
  readonly at: number;
  readonly pid: number;
  /** Whether it had not answered a request yet. */
  readonly starting: boolean;
  /** The named moment at which it died; absent where it was killed from outside. */
  readonly failpoint?: Failpoint;
  /** Events acknowledged until then. */
  readonly acknowledged: number;
  /** Requests that were under way. */
  readonly underWay: number;
}

export interface Storm {
  readonly kills: readonly Kill[];
  /** Named moments that were not come to. */
  readonly unreached: readonly Failpoint[];
  /** Number in the journal by id, of every event that was acknowledged. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** Ids whose answers named another number the second time. */
  readonly renumbered: readonly string[];
  readonly retries: number;
  /** Seconds from the start of a process to its first answer, of those that came so far. */
  readonly startups: readonly number[];
  readonly seconds: number;
  readonly served: ServedResult;
}

/** Requests under way at a time. */
const SENDERS = 8;
const STARTING_SHARE = 0.25;
/** How long a service may take to come to a named moment. */
const REACHED_MS = 30_000;
/** Between two tries of a request while the service is away. */
const LONGEST_DELAY_MS = 250;
const LAG_POLL_MS = 20;

/**
 * Sends events to a service of our own and kills it at random moments; it is started again each time, and what was not acknowledged is sent
 * again. In the end everything is acknowledged and learned, and the service stopped in peace.
 * @param run names the events: those of another storm have other ids
 */
export async function storm(
  options: Omit<ChildOptions, 'port'>,
  catalogue: Catalogue,
  config: StormConfig,
  run: string,
  context: StageContext,
): Promise<Storm> {
  const { seed, life, apiKey } = config;
  const ends = deaths(config);
  const unreached: Failpoint[] = [];
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const began = performance.now();
  const acknowledged = new Map<string, number>();
  const renumbered: string[] = [];
  const kills: Kill[] = [];
  const startups: number[] = [];
  let [underWay, retries, port] = [0, 0, 0];
  let child: ServiceChild | undefined;
  let client: RecsysClient | undefined;

  const send = async (index: number): Promise<void> => {
    underWay++;
    try {
      const { events } = await client!.events(eventsOf(index, catalogue, config, run), { signal });
      for (const { id, seq } of events) {
        if ((acknowledged.get(id) ?? seq) !== seq) renumbered.push(id);
        acknowledged.set(id, seq);
      }
    } finally {
      underWay--;
    }
  };
  const start = async (end: Death = {}): Promise<{ child: ServiceChild; at: number }> => {
    child = await ServiceChild.start(startedFor(end, { ...options, port }));
    return { child, at: performance.now() };
  };
  const ready = async (started: { child: ServiceChild; at: number }): Promise<string> => {
    const url = await started.child.ready(config.startup * 1000, signal);
    if (url === undefined) throw endedByItself(options.log);
    startups.push((performance.now() - started.at) / 1000);
    return url;
  };

  try {
    let current = await start(ends[0]);
    const url = await ready(current);
    port = Number(new URL(url).port);
    client = new RecsysClient({
      ...{
        url,
        apiKey,
        connections: SENDERS,
        patience: config.startup * 1000 * 2,
        longestDelay: LONGEST_DELAY_MS,
      },
      onRetry: () => retries++,
    });
    const ending = new AbortController();
    // The loop ends between two requests: what was begun is sent until it is acknowledged.
    const sending = drive(
      {
        ...{ workers: SENDERS, rate: config.rate / config.batch, from: performance.now() },
        ...{ until: Number.POSITIVE_INFINITY, now: () => performance.now() },
        signal: AbortSignal.any([signal, ending.signal]),
      },
      send,
    );
    sending.catch((error) => failed.abort(error));
    let answering = true;
    for (const [n, { failpoint }] of ends.entries()) {
      const random = Random.of(seed, 'kill', n);
      const early = n > 0 && random.uniform() < STARTING_SHARE;
      if (failpoint) {
        await Promise.race([current.child.gone, sleep(REACHED_MS, undefined, { signal })]);
        if (current.child.alive) unreached.push(failpoint.name);
        answering = performance.now() - current.at > startups.at(-1)! * 1000;
      } else if (early) await sleep(random.uniform() * startups.at(-1)! * 1000, undefined, { signal });
      else {
        if (!answering) await ready(current);
        answering = true;
        await sleep((life.least + random.uniform() * (life.most - life.least)) * 1000, undefined, { signal });
      }
      if (!failpoint && !current.child.alive) throw endedByItself(options.log);
      const at = (performance.now() - began) / 1000;
      kills.push({
        at,
        pid: current.child.pid!,
        starting: !answering,
        ...(failpoint ? { failpoint: failpoint.name } : {}),
        acknowledged: acknowledged.size,
        underWay,
      });
      await current.child.kill();
      context.log('info', `kill ${n + 1} of ${ends.length}`, { ...kills.at(-1) });
      context.progress({
        task: 'chaos',
        done: n + 1,
        total: ends.length,
        fields: { acknowledged: acknowledged.size },
      });
      current = await start(ends[n + 1]);
      answering = false;
    }
    await ready(current);
    await sleep(life.most * 1000, undefined, { signal });
    ending.abort();
    await sending;
    await caughtUp(client, signal);
    const served = await current.child.stop();
    const seconds = (performance.now() - began) / 1000;
    return { kills, unreached, acknowledged, renumbered, retries, startups, seconds, served };
  } catch (error) {
    if (context.signal.aborted) throw error;
    throw asRecsysError(failed.signal.aborted ? failed.signal.reason : error);
  } finally {
    failed.abort();
    client?.close();
    await child?.kill();
  }
}

const endedByItself = (log: string): RecsysError => {
  const said = readFileSync(log, 'utf8').trim().split('\n').slice(-3).join('\n');
  return new RecsysError('SERVICE', `the service ended by itself\n${said}`, {
    remedy: 'Run `recsys serve-online` with the same settings: it says what is wrong.',
  });
};

/** Resolves when everything acknowledged is learned. */
export async function caughtUp(client: RecsysClient, signal: AbortSignal): Promise<void> {
  while (learnerState(await client.metrics({ signal })).lag !== 0)
    await sleep(LAG_POLL_MS, undefined, { signal });
}

/** The events of a request: any user does anything with any item. */
function eventsOf(
  request: number,
  catalogue: Catalogue,
  { batch, users, seed }: ChaosConfig,
  run: string,
): Event[] {
  const random = Random.of(seed, 'events', request);
  return Array.from({ length: batch }, (_, n) => ({
    id: `${run}-${request * batch + n}`,
    user: `chaos-${random.int(users)}`,
    item: catalogue.items[1 + random.int(catalogue.items.length - 1)]!,
    behaviour: catalogue.behaviours[random.int(catalogue.behaviours.length)]!,
    value: 1 + random.int(5),
  }));
}
