import { z } from 'zod';
import { path } from '../../config/fields.js';

const rule = z
  .strictObject({
    attribute: z.string().min(1).describe('attribute of items, as `recsys inspect` lists them'),
    values: z.array(z.string()).min(1).describe('items with one of these values'),
    exclude: z.literal(true).optional().describe('such items are never in a list'),
    boost: z
      .number()
      .positive()
      .max(1000)
      .optional()
      .describe(
        'how many times as likely such an item is to be chosen, by the model’s own measure: ln(boost) is added to its score',
      ),
  })
  .refine(({ exclude, boost }) => (exclude === undefined) !== (boost === undefined), {
    message: 'say either `exclude: true` or a `boost`',
  });

/** What lists hold besides what the model thinks best. */
export const listsSchema = z
  .strictObject({
    rules: z
      .array(rule)
      .max(1000)
      .default([])
      .describe('items left out, or raised and lowered, by their attributes'),
    unavailable: path(
      'file with the id of an item on each line: those are in no list. Read again when it changes',
    ).optional(),
    most: z
      .record(z.string(), z.number().int().min(1))
      .default({})
      .describe('by attribute: most items of a list with the same value, such as { brand: 2 }'),
    diversity: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe(
        'weight of being unlike what is in the list already, by attributes (maximal marginal relevance); 0: scores alone',
      ),
  })
  .prefault({})
  .describe('what lists hold besides what the model thinks best');
export type ListsConfig = z.output<typeof listsSchema>;
