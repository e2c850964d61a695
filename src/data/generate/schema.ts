import { z } from 'zod';
import { seed } from '../../config/fields.js';
import { BEHAVIOURS, BRANDS, TASTES } from './vocabulary.js';

/** The YAML of `recsys generate`. */
export const generateSchema = z.strictObject({
  users: z.number().int().min(2).max(1_000_000).default(3000).describe('users'),
  tastes: z
    .number()
    .int()
    .min(2)
    .max(TASTES.length)
    .default(TASTES.length)
    .describe('hobbies the shop sells for; each has twelve kinds of things'),
  brands: z
    .number()
    .int()
    .min(2)
    .max(BRANDS.length)
    .default(9)
    .describe('brands of each hobby; items = tastes × 12 kinds × brands'),
  events: z.number().min(4).max(200).default(18).describe('mean events of a user who is not cold'),
  coldUsers: z.number().min(0).max(1).default(0.15).describe('share of users who came lately: 3 to 5 events'),
  lateItems: z
    .number()
    .min(0)
    .max(1)
    .default(0.25)
    .describe('share of items released while the log runs; a third of them in its last tenth'),
  drift: z
    .number()
    .min(0)
    .max(5)
    .default(1)
    .describe('how much seasons and brand fashions change over the log'),
  start: z.iso.date().default('2025-01-01').describe('first day of the log'),
  days: z.number().int().min(10).max(3650).default(180).describe('length of the log'),
  oracle: z
    .strictObject({
      behaviours: z
        .array(z.enum(BEHAVIOURS))
        .min(1)
        .optional()
        .describe('the last event is known to be one of these; default: nothing is known of it'),
      k: z.number().int().min(1).max(1000).default(20).describe('items listed a user'),
    })
    .prefault({})
    .describe(
      'ranking of each user’s last event by the generator’s own probabilities: the best there can be',
    ),
  seed,
});

export type GenerateConfig = z.output<typeof generateSchema>;
