import { z } from 'zod';
import { defectOf } from './defect.js';
import { ReplyError, type RequestDefect } from './replies.js';

/** Ids are strings; whole numbers are taken as their decimal text. */
export const externalId = z.union([z.string().min(1).max(256), z.number().int()]).transform(String);

/** Milliseconds since the epoch, also from ISO 8601. */
export const eventTime = z.union([
  z.number().min(0).max(8.64e15),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
]);

const MAX_CONTEXT_KEYS = 32;
const scalar = z.union([z.string().max(1024), z.number(), z.boolean(), z.null()]);

/** One event as clients send it. */
export const eventSchema = z.strictObject({
  id: externalId.describe('names the event: sent again, it is answered like the first time and learned once'),
  user: externalId,
  item: externalId,
  behaviour: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('one of the behaviours of the model; may be left out where it has one'),
  time: eventTime
    .optional()
    .describe('milliseconds since the epoch or ISO 8601; the time of arrival where absent'),
  value: z.number().optional().describe('rating, price, play time'),
  context: z
    .record(z.string().max(64), scalar)
    .refine((context) => Object.keys(context).length <= MAX_CONTEXT_KEYS, `at most ${MAX_CONTEXT_KEYS} keys`)
    .optional()
    .describe('kept in the journal'),
});

/** Every shape of body that `POST /v1/events` takes. */
export const eventsBodySchema = z.union([
  eventSchema,
  z.array(eventSchema),
  z.strictObject({ events: z.array(eventSchema) }),
]);

/** A validated event, as the journal keeps it. */
export interface OnlineEvent {
  readonly id: string;
  readonly user: string;
  readonly item: string;
  readonly behaviour: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly value?: number;
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
    time: raw.time ?? now,
    ...(raw.value === undefined ? {} : { value: raw.value }),
    ...(raw.context === undefined ? {} : { context: raw.context }),
  };
}
