import { z } from 'zod';
import { intervalSchema } from './intervals.js';

/** What each kind of learning earns: answer of `GET /v1/quality`. */
export const qualityReplySchema = z.object({
  requestId: z.string(),
  k: z.number().describe('length of the lists that are judged'),
  window: z.number().describe('most events that count'),
  events: z.number().describe('events ranked since the start'),
  unknown: z.number().describe('those of them on items that no model knows: misses of every arm'),
  arms: z.array(
    z.object({
      arm: z.string(),
      ndcg: intervalSchema,
      hr: intervalSchema,
      logLoss: intervalSchema.describe('−log p of the item'),
    }),
  ),
  differences: z
    .array(z.object({ arm: z.string(), against: z.string(), ndcg: intervalSchema, logLoss: intervalSchema }))
    .describe('each arm minus another, event by event'),
});

export type QualityReply = z.output<typeof qualityReplySchema>;
