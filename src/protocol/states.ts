import { z } from 'zod';
import { externalId } from './ids.js';

/** Query of `GET /v1/state`. */
export const stateQuerySchema = z.strictObject({ user: externalId });

/** What a user’s events have led to. */
export const stateReplySchema = z.object({
  requestId: z.string(),
  user: z.string(),
  events: z.number().describe('events of the user that are remembered'),
  basis: z
    .enum(['events', 'user', 'population'])
    .describe('on what the state rests: events, what is known of the user besides, or nothing'),
  modelVersion: z
    .string()
    .describe('<base checkpoint>+<events learned since>, and .<rollbacks> where something was taken back'),
  state: z.array(z.number()),
});
