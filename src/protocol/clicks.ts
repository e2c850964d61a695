import { z } from 'zod';
import { externalId } from './ids.js';

/** Body of `POST /v1/clicks`. */
export const clicksRequestSchema = z.strictObject({
  user: externalId,
  items: z.array(externalId).min(1).max(1000).describe('item ids'),
});

/** How likely a user is to click each item, in the order of the request. */
export const clicksReplySchema = z.object({
  requestId: z.string(),
  user: z.string(),
  items: z.array(z.object({ item: z.string(), probability: z.number().describe('of a click, 0 to 1') })),
  unknown: z.array(z.string()).describe('items that the model does not know'),
});
