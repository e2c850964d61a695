import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RecsysClient, ServiceError } from '../client/index.js';
import { RecsysError } from '../errors.js';
import { hash32 } from '../random.js';
import type { StageContext } from '../types.js';
import { ReplayClock } from './clock.js';
import type { TimedEvent } from './log.js';
import { asRecsysError } from './service.js';

export interface ReplayOptions {
  /** Log milliseconds a millisecond; `max`: as fast as they are acknowledged. */
  readonly speed: number | 'max';
  /** Most events in one request. */
  readonly batch: number;
  /** Requests under way at a time. */
  readonly connections: number;
  /** Without times an event is taken to happen when it arrives. */
  readonly timed: boolean;
}

/** What became of the events of a replay. */
export interface ReplayCounts {
  accepted: number;
  duplicates: number;
  refused: number;
  /** Why events were refused, and how many. */
  readonly reasons: Map<string, number>;
}

/** setTimeout takes no more. */
const LONGEST_WAIT = 2 ** 31 - 1;

/**
 * Sends events in order of time. With several connections each user keeps to one of them, so that events of one user stay in order.
 * What the service knows already is passed over without waiting for its time: a replay that was stopped goes on.
 * @param events in order of time
 * @throws RecsysError INTERRUPTED; SERVICE where the service cannot be asked, or takes none of the events
 */
export async function replay(
  events: readonly TimedEvent[],
  client: RecsysClient,
  options: ReplayOptions,
  context: StageContext,
): Promise<ReplayCounts> {
  const counts: ReplayCounts = { accepted: 0, duplicates: 0, refused: 0, reasons: new Map() };
  const speed = options.speed === 'max' ? Number.POSITIVE_INFINITY : options.speed;
  const clock = new ReplayClock(events[0]?.time ?? 0, speed, () => performance.now());
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  setMaxListeners(0, signal);
  const sent = (): number => counts.accepted + counts.duplicates + counts.refused;
  const began = performance.now();
  const told = (): void => {
    const pace = Math.round((sent() / (performance.now() - began)) * 1000);
    context.progress({ task: 'replay', done: sent(), total: events.length, fields: { 'events/s': pace } });
  };
  const send = async (own: readonly TimedEvent[]): Promise<void> => {
    let known = false;
    for (let at = 0; at < own.length; ) {
      const wait = known ? 0 : clock.until(own[at]!.time);
      if (wait > 0) {
        await sleep(Math.min(wait, LONGEST_WAIT), undefined, { signal });
        if (wait > LONGEST_WAIT) continue;
      }
      signal.throwIfAborted();
      let end = at + 1;
      while (end < own.length && end - at < options.batch && (known || clock.until(own[end]!.time) <= 0))
        end++;
      const batch = own.slice(at, end);
      const before = counts.duplicates;
      await deliver(client, options.timed ? batch : batch.map(untimed), counts, signal);
      known = counts.duplicates - before === batch.length;
      if (known) clock.jump(batch.at(-1)!.time);
      at = end;
      told();
    }
  };
  try {
    await Promise.all(
      lanesOf(events, options.connections).map((lane) =>
        send(lane).catch((error) => {
          failed.abort(error);
          throw error;
        }),
      ),
    );
  } catch (error) {
    if (!context.signal.aborted) throw asRecsysError(error);
    throw new RecsysError('INTERRUPTED', `stopped after ${sent()} of ${events.length} events`, {
      remedy: 'Run it again: it goes on, since events that were taken are recognised.',
      cause: error,
    });
  }
  if (events.length > 0 && counts.refused === events.length) {
    const [[reason] = ['']] = [...counts.reasons].sort(([, a], [, b]) => b - a);
    throw new RecsysError('SERVICE', `none of the ${events.length} events was taken; most often: ${reason}`, {
      remedy: 'Check the columns and the behaviour against those of the served model.',
    });
  }
  return counts;
}

/** Events of the same user in the same list, in their order. */
function lanesOf(events: readonly TimedEvent[], count: number): readonly TimedEvent[][] {
  if (count === 1) return [[...events]];
  const lanes = Array.from({ length: count }, (): TimedEvent[] => []);
  for (const event of events) lanes[hash32(event.user) % count]!.push(event);
  return lanes;
}

const untimed = ({ time: _, ...event }: TimedEvent) => event;

/** Sends a batch; events that the service names as wrong are left out, and the others sent again. */
async function deliver(
  client: RecsysClient,
  batch: readonly Parameters<RecsysClient['event']>[0][],
  counts: ReplayCounts,
  signal: AbortSignal,
): Promise<void> {
  if (batch.length === 0) return;
  const refuse = (reason: string): void => {
    counts.refused++;
    counts.reasons.set(reason, (counts.reasons.get(reason) ?? 0) + 1);
  };
  try {
    const { accepted, duplicates } = await client.events(batch, { signal });
    counts.accepted += accepted;
    counts.duplicates += duplicates;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.status === 413 && batch.length > 1) {
      const half = batch.length >> 1;
      await deliver(client, batch.slice(0, half), counts, signal);
      return deliver(client, batch.slice(half), counts, signal);
    }
    const wrong = new Map(error.defects.map((defect) => [defect.index, `${defect.field} ${defect.message}`]));
    wrong.delete(undefined);
    if (wrong.size === 0 && (error.status !== 413 || batch.length > 1)) throw error;
    if (wrong.size === 0) return refuse(error.message);
    for (const reason of wrong.values()) refuse(reason);
    await deliver(
      client,
      batch.filter((_, i) => !wrong.has(i)),
      counts,
      signal,
    );
  }
}
