import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/random.js';
import { drive } from '../../src/traffic/drive.js';
import { Histogram } from '../../src/traffic/histogram.js';
import { learnerState } from '../../src/traffic/scrape.js';
import { Connection } from './connection.js';

export interface Population {
  readonly users: number;
  readonly items: number;
}

/** Pieces a second, and milliseconds of each. */
export interface Rate {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly refused: number;
}

let sent = 0;
const run = Date.now().toString(36);

/** Items come by popularity: the square of a uniform number favours the first. */
function madeUpEvents(random: Random, { users, items }: Population, count: number): object[] {
  return Array.from({ length: count }, () => ({
    id: `${run}-${sent++}`,
    user: `p${random.int(users)}`,
    item: `i${1 + Math.floor(random.uniform() ** 2 * items)}`,
    behaviour: 'view',
  }));
}

async function withConnections<T>(
  url: string,
  count: number,
  work: (all: Connection[]) => Promise<T>,
): Promise<T> {
  const all = await Promise.all(Array.from({ length: count }, () => Connection.open(url)));
  try {
    return await work(all);
  } finally {
    for (const one of all) one.close();
  }
}

const rateOf = (histogram: Histogram, pieces: number, seconds: number, refused: number): Rate => {
  const { p50, p99 } = histogram.quantiles();
  return { perSecond: pieces / seconds, p50, p99, refused };
};

/** Sends `total` events as fast as they are acknowledged, or for `seconds`. */
export function sendEvents(
  url: string,
  population: Population,
  {
    connections,
    batch,
    total,
    seconds,
  }: { connections: number; batch: number; total?: number; seconds?: number },
): Promise<Rate> {
  return withConnections(url, connections, async (all) => {
    const histogram = new Histogram();
    const random = Random.of(1, 'events', batch);
    let [left, accepted, refused] = [total ?? Number.POSITIVE_INFINITY, 0, 0];
    const from = performance.now();
    const until = from + (seconds ?? 600) * 1000;
    await Promise.all(
      all.map(async (connection) => {
        while (left > 0 && performance.now() < until) {
          left -= batch;
          const body = JSON.stringify(madeUpEvents(random, population, batch));
          const since = performance.now();
          const { status } = await connection.send('POST', '/v1/events', body);
          histogram.add(performance.now() - since);
          if (status === 200) accepted += batch;
          else refused += batch;
        }
      }),
    );
    return rateOf(histogram, accepted, (performance.now() - from) / 1000, refused);
  });
}

/** Waits until everything is learned; milliseconds that took. */
export function learned(url: string): Promise<number> {
  return withConnections(url, 1, async ([connection]) => {
    const from = performance.now();
    for (;;) {
      const { body } = await connection!.send('GET', '/metrics');
      if (learnerState(body).lag === 0) return performance.now() - from;
      // Each look costs the service time.
      await sleep(250);
    }
  });
}

export interface Mixed {
  readonly lists: Rate;
  /** Events beside the lists: requests of `batch` events each, begun on time. */
  readonly events: Rate & { readonly notBegun: number };
  /** Of a user never seen before, from the sending of an event to the first list that follows from it. */
  readonly changed: Rate;
}

interface Asking {
  readonly connections: number;
  readonly rate?: number | undefined;
  readonly random: Random;
  readonly from: number;
  readonly until: number;
  readonly signal: AbortSignal;
  now(): number;
}

function askForLists(
  url: string,
  { users }: Population,
  { connections, rate, random, ...times }: Asking,
  answered: Histogram,
  refused: () => void,
) {
  return withConnections(url, connections, (all) =>
    drive({ ...times, workers: connections, rate }, async (_, since) => {
      // In turn: the service hangs up on those that ask nothing.
      const connection = all.shift()!;
      const { status } = await connection.send('GET', `/v1/recommendations?user=p${random.int(users)}`);
      if (status === 200) answered.add(performance.now() - since);
      else refused();
      all.push(connection);
    }),
  );
}

/** Lists over `connections` as fast as they are answered, and nothing beside them. */
export async function listsAlone(
  url: string,
  population: Population,
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
): Promise<Rate> {
  const answered = new Histogram();
  let refused = 0;
  const from = performance.now();
  const times = { from, until: from + seconds * 1000, now: () => performance.now() };
  const random = Random.of(2, 'lists');
  const { signal } = new AbortController();
  await askForLists(url, population, { ...times, signal, connections, random }, answered, () => refused++);
  return rateOf(answered, answered.count, (performance.now() - from) / 1000, refused);
}

/** Lists over `connections` in a closed loop, or `rate` of them a second, and events beside them. */
export async function mixed(
  url: string,
  population: Population,
  {
    connections,
    rate,
    events,
    batch,
    seconds,
  }: {
    connections: number;
    rate?: number | undefined;
    events: number;
    batch: number;
    seconds: number;
  },
): Promise<Mixed> {
  const [lists, acknowledged, changed] = [new Histogram(), new Histogram(), new Histogram()];
  const refused = { lists: 0, events: 0, changed: 0 };
  const random = Random.of(2, 'mixed');
  const over = new AbortController();
  const from = performance.now();
  const until = from + seconds * 1000;
  const times = { from, until, now: () => performance.now(), signal: over.signal };
  const listing = askForLists(
    url,
    population,
    { ...times, connections, rate, random },
    lists,
    () => refused.lists++,
  );
  const sending = withConnections(url, 4, (all) =>
    drive({ ...times, workers: 4, rate: events / batch }, async (_, since) => {
      const connection = all.shift()!;
      const body = JSON.stringify(madeUpEvents(random, population, batch));
      const { status } = await connection.send('POST', '/v1/events', body);
      if (status === 200) acknowledged.add(performance.now() - since);
      else refused.events++;
      all.push(connection);
    }),
  );
  const probing = withConnections(url, 1, async ([connection]) => {
    while (performance.now() < until) {
      const user = `${run}-probe-${sent++}`;
      const event = { ...madeUpEvents(random, population, 1)[0], user };
      const since = performance.now();
      await connection!.send('POST', '/v1/events', JSON.stringify(event));
      for (;;) {
        const { body } = await connection!.send('GET', `/v1/recommendations?user=${user}`);
        if (body.includes('"fallback":false')) break;
      }
      changed.add(performance.now() - since);
      await sleep(50);
    }
  });
  const [, { notBegun }] = await Promise.all([listing, sending, probing]);
  return {
    lists: rateOf(lists, lists.count, seconds, refused.lists),
    events: {
      ...rateOf(acknowledged, acknowledged.count * batch, seconds, refused.events),
      notBegun: notBegun * batch,
    },
    changed: rateOf(changed, changed.count, seconds, refused.changed),
  };
}
