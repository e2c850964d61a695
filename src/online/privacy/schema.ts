import { z } from 'zod';
import { path } from '../../config/fields.js';

/** What is done with what names users. */
export const privacySchema = z
  .strictObject({
    pseudonyms: z
      .strictObject({
        keyFile: path(
          'key that `recsys serve-online keys pseudonym` makes; kept outside the state directory',
        ),
      })
      .optional()
      .describe(
        'users are known by HMAC-SHA-256 of their ids in journal, snapshots, logs and metrics; requests go on with plain ids. absent: by the ids themselves',
      ),
    rebuildAfter: z
      .union([z.number().min(0).max(86_400), z.literal('restart')])
      .default(60)
      .describe(
        'seconds after the last erasure before weights that all share are rebuilt in the background; restart: the next start does it',
      ),
    mask: z
      .array(z.string().min(1))
      .default(['user', 'users', 'item', 'items', 'id', 'ids', 'events', 'context', 'value'])
      .describe('fields of log lines whose values are masked, at any depth; keys and tokens always are'),
  })
  .prefault({})
  .describe('what is done with what names users');
export type PrivacyConfig = z.output<typeof privacySchema>;
