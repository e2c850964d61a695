import { z } from 'zod';
import { externalId, idList } from './ids.js';

/** Query of `GET /v1/elicitation`. */
export const elicitationQuerySchema = z.strictObject({
  user: externalId,
  k: z.coerce.number().int().min(1).max(100).default(1).describe('questions returned'),
  asked: idList.optional().describe('item ids asked about before, answered or not, separated by commas'),
});

/** What to ask a user about. */
export const elicitationReplySchema = z.object({
  requestId: z.string(),
  user: z.string(),
  strategy: z.string().describe('how the questions were chosen; popular where no list is served'),
  items: z.array(z.object({ item: z.string(), title: z.string() })),
});
