import { z } from 'zod';

/** Which items a list is made from. */
export const retrievalSchema = z
  .strictObject({
    kind: z
      .enum(['exact', 'usearch'])
      .default('exact')
      .describe(
        'exact: every item is scored; usearch: an approximate index of the items’ vectors proposes candidates, and those are scored (`npm install usearch`)',
      ),
    candidates: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(500)
      .describe('items that the index proposes for a list'),
    fresh: z
      .number()
      .int()
      .min(0)
      .max(1_000_000)
      .default(10_000)
      .describe(
        'items that are candidates of every list: the last that events named since the index was made',
      ),
    rebuildHours: z
      .number()
      .positive()
      .max(500)
      .default(24)
      .describe('a new index is made in the background when the one in use is so old'),
    connectivity: z
      .number()
      .int()
      .min(4)
      .max(128)
      .default(32)
      .describe('neighbours that the index keeps of each item: more find more, and take memory and time'),
    expansion: z
      .number()
      .int()
      .min(16)
      .max(4096)
      .default(128)
      .describe(
        'neighbours that are looked at to place an item in the index: more find more, and take time when it is made',
      ),
  })
  .prefault({})
  .describe('which items a list is made from: all, or the candidates of an index');
export type RetrievalConfig = z.output<typeof retrievalSchema>;
