import { z } from 'zod';
import type { TensorMap } from '../types.js';
import type { LearnExample } from './learner.js';
import { type KeptColumns, packHistories, unpackHistories } from './packed-histories.js';
import { journalledEvent, type OutcomeRecord, outcomeRecord } from './records.js';

/** An event that is not learned, and why. */
export interface SkippedEvent {
  readonly seq: number;
  readonly reason: string;
  /** Whose event it is. */
  readonly user: string;
}

/** An event on its way through the queue. */
export type WaitingEvent = LearnExample | SkippedEvent;

/** What the queue is between two updates. */
export interface QueueState {
  /** Events learned since the base checkpoint. */
  readonly learned: number;
  /** Events applied to histories and not yet through an update, in journal order. */
  readonly waiting: readonly WaitingEvent[];
  /** What became of events, not yet in the journal. */
  readonly unrecorded: readonly OutcomeRecord[];
  /** Rows that have become another item's, and which of all times that was last, from 1. */
  readonly begun?: readonly (readonly [number, number])[];
}

export const queueFacts = z.object({
  learned: z.number().int(),
  waiting: z.array(
    z.union([
      z.object({ seq: z.number().int(), reason: z.string(), user: z.string() }),
      z.object({
        seq: z.number().int(),
        event: journalledEvent,
        user: z.number().int(),
        asks: z.number().int().exactOptional(),
        item: z.number().int(),
        behaviour: z.number().int(),
        weight: z.number(),
        known: z.number().int(),
        begins: z.literal(true).exactOptional(),
      }),
    ]),
  ),
  unrecorded: z.array(outcomeRecord),
  begun: z.array(z.tuple([z.number().int(), z.number().int()])).default([]),
});

const isExample = (event: WaitingEvent): event is LearnExample => 'event' in event;

/** The queue as JSON, and its users' histories as tensors `waiting.*`. */
export function encodeQueue({ learned, waiting, unrecorded, begun = [] }: QueueState) {
  const queries = waiting.filter(isExample).map(({ query }) => query);
  const facts: z.input<typeof queueFacts> = {
    learned,
    waiting: waiting.map((one) => {
      if (!isExample(one)) return one;
      const { query, ...rest } = one;
      const { user, asks } = query;
      return { ...rest, user, ...(asks === undefined ? {} : { asks }) };
    }),
    unrecorded: [...unrecorded],
    begun: begun.map(([row, nth]): [number, number] => [row, nth]),
  };
  return { facts, tensors: packHistories('waiting', queries, keptOf(queries)) };
}

/** What `encodeQueue` gave. */
export function decodeQueue(facts: z.output<typeof queueFacts>, tensors: TensorMap): QueueState {
  const keeps = { times: tensors.has('waiting.times'), values: tensors.has('waiting.values') };
  const histories = unpackHistories('waiting', tensors, keeps);
  let at = 0;
  const waiting = facts.waiting.map((one): WaitingEvent => {
    if (!('event' in one)) return one;
    const { user, asks, ...rest } = one;
    return { ...rest, query: { user, ...histories[at++]!, ...(asks === undefined ? {} : { asks }) } };
  });
  return { ...facts, waiting };
}

function keptOf(queries: readonly { times?: unknown; values?: unknown }[]): KeptColumns {
  const [first] = queries;
  return { times: first?.times !== undefined, values: first?.values !== undefined };
}
