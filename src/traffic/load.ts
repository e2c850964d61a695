import type { RecsysClient } from '../client/index.js';
import { Random } from '../random.js';
import type { StageContext } from '../types.js';
import { drive } from './drive.js';
import type { Population } from './population.js';
import { type ChangedTimes, probe } from './probe.js';
import type { LoadTestConfig, ROUTES } from './schema.js';
import { type RouteTimes, Tally } from './tally.js';

/** What a load test measured. Times in milliseconds. */
export interface LoadResult {
  /** Seconds that were counted. */
  readonly seconds: number;
  /** Answers to requests for recommendations with status 200, a second. */
  readonly requestsPerSecond: number;
  /** Requests, of an open loop, whose moment came while every connection was busy to the end: the service is slower than the rate. */
  readonly notBegun: number;
  readonly routes: readonly RouteTimes[];
  /** Of requests and events, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Events that were acknowledged, warm-up included; absent where none were sent. */
  readonly events?: {
    readonly accepted: number;
    readonly perSecond: number;
    readonly notBegun: number;
    readonly changed: ChangedTimes;
  };
}

type Route = (typeof ROUTES)[number];
const NAMES: Readonly<Record<Route, string>> = {
  get: 'GET /v1/recommendations',
  post: 'POST /v1/recommendations',
  state: 'GET /v1/state',
  elicitation: 'GET /v1/elicitation',
};
const EVENTS = 'POST /v1/events';
/** Requests with events under way at a time. */
export const EVENT_CONNECTIONS = 4;

/**
 * Asks a service for recommendations, with events alongside, and takes the times.
 * @param clients of their own for requests, events and probes, so that none waits for a connection of another; none tries again
 * @param run names the events of this test: another run sends other events
 */
export async function loadTest(
  clients: { readonly requests: RecsysClient; readonly events: RecsysClient; readonly probes: RecsysClient },
  population: Population,
  config: LoadTestConfig,
  run: string,
  context: StageContext,
): Promise<{ readonly result: LoadResult; readonly curves: ReturnType<Tally['curves']> }> {
  const now = (): number => performance.now();
  const from = now();
  const counted = from + config.warmup * 1000;
  const until = counted + config.duration * 1000;
  const tally = new Tally(now);
  const { seed, k, batch, mix } = config;
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const times = { from, until, now, signal };
  const ask = async (index: number, since: number, moment: number): Promise<void> => {
    const random = Random.of(seed, 'request', index);
    const route = routeOf(mix, random.uniform());
    const user = population.user(random);
    await tally.time(NAMES[route], since, moment >= counted, () => asked(clients.requests, route, user, k));
  };
  let accepted = 0;
  const send = async (index: number, since: number, moment: number): Promise<void> => {
    const random = Random.of(seed, 'event', index);
    const events = Array.from({ length: batch }, (_, n) => ({
      ...population.event(random),
      id: `${run}-${index * batch + n}`,
    }));
    const receipts = await tally.time(EVENTS, since, moment >= counted, () => clients.events.events(events));
    accepted += receipts?.accepted ?? 0;
  };
  const over = new AbortController();
  const tick = setInterval(() => told(context, from, until, now()), 500);
  const probing = AbortSignal.any([signal, over.signal]);
  try {
    const requests = drive({ ...times, workers: config.connections, rate: config.rate }, ask);
    const sending =
      config.events === 0
        ? undefined
        : drive({ ...times, workers: EVENT_CONNECTIONS, rate: config.events / batch }, send);
    const changed =
      config.events === 0
        ? undefined
        : probe(clients.probes, population, {
            ...{ name: `${run}-probe`, random: Random.of(seed, 'probe'), signal: probing },
          });
    const stopped = Promise.all([requests, sending]).finally(() => over.abort());
    const [[{ notBegun }, sent], seen] = await Promise.all([stopped, changed]);
    const seconds = config.duration;
    const routes = tally.routes(seconds);
    const answered = routes.filter(({ route, status }) => route !== EVENTS && status === 200);
    const result = {
      seconds,
      requestsPerSecond: answered.reduce((sum, { perSecond }) => sum + perSecond, 0),
      notBegun,
      routes,
      errors: tally.errors,
      ...(sent && seen
        ? {
            events: {
              accepted,
              perSecond: (accepted / (now() - from)) * 1000,
              notBegun: sent.notBegun * batch,
              changed: seen,
            },
          }
        : {}),
    };
    return { result, curves: tally.curves() };
  } finally {
    failed.abort();
    clearInterval(tick);
  }
}

function told(context: StageContext, from: number, until: number, at: number): void {
  context.progress({ task: 'load test', done: Math.min(at, until) - from, total: until - from });
}

function asked(client: RecsysClient, route: Route, user: string, k: number): Promise<unknown> {
  if (route === 'get') return client.recommendations(user, { k });
  if (route === 'post') return client.recommend({ user, k });
  return route === 'state' ? client.state(user) : client.elicitation(user, { k });
}

/** The route that a number in [0, 1) falls on, each having its share of that. */
export function routeOf(mix: LoadTestConfig['mix'], at: number): Route {
  const routes = (Object.keys(NAMES) as Route[]).filter((route) => mix[route] > 0);
  let left = at * routes.reduce((sum, route) => sum + mix[route], 0);
  for (const route of routes) {
    left -= mix[route];
    if (left < 0) return route;
  }
  return routes.at(-1)!;
}
