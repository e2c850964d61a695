import { z } from 'zod';

/** What is done with what names users. */
export const privacySchema = z
  .strictObject({
    mask: z
      .array(z.string().min(1))
      .default(['user', 'users', 'item', 'items', 'id', 'ids', 'events', 'context', 'value'])
      .describe('fields of log lines whose values are masked, at any depth; keys and tokens always are'),
  })
  .prefault({})
  .describe('what is done with what names users');
export type PrivacyConfig = z.output<typeof privacySchema>;
