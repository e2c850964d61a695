import type { z } from 'zod';
import { eventSchema } from '../protocol/events.js';
import { defectOf } from './defect.js';
import { ReplyError, type RequestDefect } from './replies.js';

/** A validated event, as the journal keeps it. */
export interface OnlineEvent {
  readonly id: string;
  readonly user: string;
  readonly item: string;
  readonly behaviour: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly value?: number;
  /** The list that the item was chosen from. */
  readonly requestId?: string;
  /** Ids of what that list showed, where lists are learned from. */
  readonly shown?: readonly string[];
  readonly context?: Readonly<Record<string, string | number | boolean | null>>;
}

/** What validation needs to know beyond the schema. */
export interface EventRules {
  readonly behaviours: readonly string[];
  readonly maxEvents: number;
  /** Time of arrival, milliseconds since the epoch. */
  readonly now: number;
}

const MAX_DEFECTS = 20;

/**
 * The events of a request body: one object, an array, or `{events: […]}`.
 * @throws ReplyError REQUEST_INVALID naming index and field of what is wrong (the first 20); then none is accepted.
 */
export function parseEvents(body: unknown, rules: EventRules): OnlineEvent[] {
  const list = eventList(body);
  if (list.length === 0) throw new ReplyError('REQUEST_INVALID', 'the request has no events');
  if (list.length > rules.maxEvents) {
    throw new ReplyError(
      'BODY_TOO_LARGE',
      `${list.length} events in one request; at most ${rules.maxEvents} are taken`,
    );
  }
  const defects: RequestDefect[] = [];
  const events: OnlineEvent[] = [];
  for (const [index, raw] of list.entries()) {
    const parsed = eventSchema.safeParse(raw);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) defects.push({ index, ...defectOf(issue, raw) });
    } else {
      const behaviour =
        parsed.data.behaviour ?? (rules.behaviours.length === 1 ? rules.behaviours[0] : undefined);
      if (behaviour === undefined || !rules.behaviours.includes(behaviour)) {
        const found = behaviour === undefined ? 'is missing' : `"${behaviour}" is not known`;
        defects.push({
          index,
          field: 'behaviour',
          message: `${found}; the model knows ${rules.behaviours.join(', ')}`,
        });
      } else {
        events.push(complete(parsed.data, behaviour, rules.now));
      }
    }
    if (defects.length >= MAX_DEFECTS) break;
  }
  if (defects.length > 0) throw invalid(defects);
  return events;
}

/** The reply for a request with these defects. */
export function invalid(defects: readonly RequestDefect[]): ReplyError {
  const [first] = defects;
  const where = first?.index === undefined ? '' : `event ${first.index}: `;
  const more = defects.length > 1 ? ` (and ${defects.length - 1} more)` : '';
  return new ReplyError(
    'REQUEST_INVALID',
    `${where}${first?.field} ${first?.message}${more}`,
    defects.slice(0, MAX_DEFECTS),
  );
}

function eventList(body: unknown): readonly unknown[] {
  if (Array.isArray(body)) return body;
  if (typeof body !== 'object' || body === null) {
    throw new ReplyError(
      'REQUEST_INVALID',
      'the body must be an event, an array of events, or {"events": […]}',
    );
  }
  if (!('events' in body)) return [body];
  const extra = Object.keys(body).filter((key) => key !== 'events');
  if (extra.length > 0) throw invalid(extra.map((field) => ({ field, message: 'is not a known field' })));
  if (!Array.isArray(body.events))
    throw invalid([{ field: 'events', message: 'is not valid: expected an array' }]);
  return body.events;
}

function complete(raw: z.output<typeof eventSchema>, behaviour: string, now: number): OnlineEvent {
  return {
    id: raw.id,
    user: raw.user,
    item: raw.item,
    behaviour,
    // −0 would be 0 in the journal, and a replay have other bits.
    time: (raw.time ?? now) + 0,
    ...(raw.value === undefined ? {} : { value: raw.value + 0 }),
    ...(raw.requestId === undefined ? {} : { requestId: raw.requestId }),
    ...(raw.context === undefined ? {} : { context: raw.context }),
  };
}
