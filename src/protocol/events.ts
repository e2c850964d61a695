import { z } from 'zod';
import { eventTime, eventValue, externalId } from './ids.js';

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
  value: eventValue.optional().describe('rating, price, play time'),
  requestId: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('`requestId` of the list that the item was chosen from'),
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

/** What an acknowledgement promises. */
export const DURABILITIES = ['always', 'interval', 'none'] as const;
export type Durability = (typeof DURABILITIES)[number];

/** The answer to events: what became of each, in their order. */
export const receiptsSchema = z.object({
  accepted: z.number().int(),
  duplicates: z.number().int(),
  durability: z
    .enum(DURABILITIES)
    .describe('what the answer promises: always, the events outlive a power cut; else only a killed process'),
  events: z.array(
    z.object({
      id: z.string(),
      status: z.enum(['accepted', 'duplicate']),
      seq: z.number().int().describe('number in the journal; the first one where the event was sent before'),
    }),
  ),
});
