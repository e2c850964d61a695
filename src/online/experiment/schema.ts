import { z } from 'zod';

const variant = z.strictObject({
  name: z.string().min(1).max(64).describe('as replies and the log of lists have it'),
  share: z
    .number()
    .positive()
    .max(1_000_000)
    .default(1)
    .describe('of the users, in proportion to the others’'),
  adapter: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('lists by the model with this one of `adapters` added'),
  diversity: z.number().min(0).max(1).optional().describe('in place of `lists.diversity`'),
});
export type VariantConfig = z.output<typeof variant>;

/** Lists made in several ways, each user's always in the same one. */
export const experimentSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(64)
      .describe('key of the hash that deals users: another name deals them anew'),
    variants: z
      .array(variant)
      .min(2)
      .max(100)
      .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, {
        message: 'two variants have the same name',
      })
      .describe(
        'ways of making lists; `recsys uplift` compares the others with the one that is named control',
      ),
  })
  .optional()
  .describe(
    'ways of making lists that are tried on users, each always with the same one; absent: one for all',
  );
export type ExperimentConfig = NonNullable<z.output<typeof experimentSchema>>;
