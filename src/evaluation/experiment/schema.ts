import { z } from 'zod';
import { path, seed } from '../../config/fields.js';

/** What `recsys uplift` is told. */
export const upliftSchema = z.strictObject({
  log: path('lists that were served and what came of them: JSON lines, as `recsys impressions` writes them'),
  experiment: z
    .string()
    .min(1)
    .optional()
    .describe('name of the experiment; needed where the log holds lists of several'),
  control: z
    .string()
    .min(1)
    .default('control')
    .describe('name of the variant that the others are compared with'),
  behaviours: z
    .array(z.string().min(1))
    .default([])
    .describe('events that count as a success of the item they are on; none named: all'),
  bootstrap: z
    .strictObject({
      resamples: z.number().int().min(100).max(100_000).default(2000).describe('resamples of the users'),
    })
    .prefault({})
    .describe('intervals'),
  seed,
});
export type UpliftConfig = z.output<typeof upliftSchema>;
