import { z } from 'zod';

const coldSide = z
  .strictObject({
    fraction: z.number().min(0).max(1).optional().describe('share of them drawn at random'),
    firstSeenFrom: z.string().optional().describe('those whose first row is at or after this ISO time'),
    attribute: z
      .string()
      .optional()
      .describe('number, date or category attribute that decides, with `from` or `values`'),
    from: z
      .union([z.number(), z.string()])
      .optional()
      .describe('those whose attribute is at least this (a date as ISO text)'),
    values: z.array(z.string()).optional().describe('those whose attribute has one of these values'),
  })
  .superRefine((side, context) => {
    const ways = [side.fraction, side.firstSeenFrom, side.attribute].filter((v) => v !== undefined).length;
    if (ways !== 1)
      context.addIssue({
        code: 'custom',
        path: [],
        message: 'give one of `fraction`, `firstSeenFrom`, `attribute`',
      });
    if (side.attribute !== undefined && (side.from === undefined) === (side.values === undefined))
      context.addIssue({
        code: 'custom',
        path: ['attribute'],
        message: 'give `from` or `values` with `attribute`',
      });
  });

export type ColdSide = z.output<typeof coldSide>;

const common = {
  order: z
    .enum(['temporal', 'random'])
    .describe(
      'temporal: no held-out row is earlier than a training row of the same user (global-time: of anyone)',
    ),
  catalogue: z
    .enum(['train', 'all'])
    .default('all')
    .describe(
      'items that are ranked: those with training rows (held-out rows of others are dropped and counted), or all',
    ),
};

/** `split`: how rows are divided. */
export const splitSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('leave-last-out').describe('the last rows of each user are held out'),
    ...common,
    order: common.order.default('temporal'),
    validation: z
      .number()
      .int()
      .min(0)
      .default(1)
      .describe('rows of each user held out for validation, before the test rows'),
    test: z.number().int().min(1).default(1).describe('last rows of each user held out for the test'),
  }),
  z.strictObject({
    kind: z.literal('global-time').describe('rows after a moment are held out'),
    ...common,
    order: common.order.default('temporal'),
    validation: z
      .union([z.number().min(0).max(1), z.string()])
      .default(0.1)
      .describe('share of all rows before the test rows, or the ISO time from which rows are for validation'),
    test: z
      .union([z.number().gt(0).max(1), z.string()])
      .default(0.1)
      .describe('share of all rows at the end, or the ISO time from which rows are for the test'),
  }),
  z.strictObject({
    kind: z
      .literal('user-ratio')
      .describe('a share of each user’s rows is held out: the last ones, or random ones, as `order` says'),
    ...common,
    validation: z
      .number()
      .min(0)
      .lt(1)
      .default(0.1)
      .describe('share of each user’s rows held out for validation'),
    test: z.number().gt(0).lt(1).default(0.2).describe('share of each user’s rows held out for the test'),
  }),
  z.strictObject({
    kind: z
      .literal('cold')
      .describe('cold users and cold items: every row of theirs is held out for the test'),
    ...common,
    order: common.order.default('random'),
    users: coldSide.optional().describe('which users are cold; absent: none'),
    items: coldSide.optional().describe('which items are cold; absent: none'),
    validation: z
      .number()
      .min(0)
      .lt(1)
      .default(0.1)
      .describe(
        'share of the remaining rows held out for validation: at random, or the last ones of each user (order: temporal)',
      ),
  }),
]);

export type SplitConfig = z.output<typeof splitSchema>;
export type SplitKind = SplitConfig['kind'];
