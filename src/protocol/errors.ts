import { z } from 'zod';

/** Every answer that is no success. */
export const errorSchema = z
  .object({
    code: z.string(),
    message: z.string(),
    remedy: z.string(),
    requestId: z.string(),
    errors: z
      .array(z.object({ index: z.number().optional(), field: z.string(), message: z.string() }))
      .optional()
      .describe('every defect: index of the event, field, message'),
  })
  .describe('What is wrong, and what to do about it');
