import { z } from 'zod';
import { intervalSchema } from './intervals.js';

/** Body of `POST /v1/admin/checkpoint`. */
export const takeCheckpointSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(4096)
    .describe(
      'checkpoint on the machine of the service, in the folder `checkpoints.directory`; relative to that, or absolute',
    ),
  swap: z.boolean().default(true).describe('false: it is compared and no more'),
  force: z.boolean().default(false).describe('true: it is taken up even where it is worse'),
});

const named = z.object({
  path: z.string(),
  sha256: z.string().describe('of its manifest'),
});

/** What is served: answer of `GET /v1/admin/checkpoint` and of `POST /v1/admin/checkpoint/rollback`. */
export const checkpointReplySchema = named.extend({
  requestId: z.string(),
  version: z.string().describe('what model versions begin with'),
  since: z.number().describe('journal record that it is served since; 0: from the first'),
  before: named.nullable().describe('what a rollback goes back to'),
});

/** How a checkpoint compares with what is served: answer of `POST /v1/admin/checkpoint`. */
export const takeCheckpointReplySchema = checkpointReplySchema.extend({
  swapped: z.boolean().describe('whether it is served now'),
  reason: z.enum(['served already', 'worse', 'not asked for']).optional().describe('why it is not'),
  comparison: z
    .object({
      k: z.number().describe('length of the lists that are judged'),
      events: z.number().describe('newest events that both ranked'),
      users: z.number(),
      trained: z.number().describe('events left out because the checkpoint was trained on them'),
      unknown: z.number().describe('events on items that the checkpoint does not know: it misses them'),
      served: intervalSchema.describe('NDCG@k of what was served'),
      candidate: intervalSchema.describe('NDCG@k of the checkpoint'),
      difference: intervalSchema.describe('the checkpoint minus what was served, event by event'),
    })
    .optional(),
});
