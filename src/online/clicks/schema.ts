import { z } from 'zod';

const part = z
  .string()
  .regex(
    /^(user|item)(\..+)?$/,
    'is none of: user, item, user.<attribute>, item.<attribute>, user.*, item.*',
  );

/** The click model: what is a click, and how it is learned. */
export const clicksSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe('true: learns the probability that a user clicks an item'),
    positive: z.array(z.string()).default([]).describe('behaviours that are clicks: label 1'),
    negative: z
      .array(z.string())
      .default([])
      .describe('behaviours that are none, such as an impression or a skip: label 0'),
    minimumValue: z
      .number()
      .optional()
      .describe(
        'events of other behaviours that have a value (a rating): label 1 from this value on, 0 below',
      ),
    crosses: z
      .array(z.tuple([part, part]))
      .max(16)
      .default([
        ['user', 'item'],
        ['user', 'item.*'],
      ])
      .describe(
        'pairs of features that have a weight together: user, item, user.<attribute>, item.<attribute>, or user.* and item.* for all attributes',
      ),
    bits: z
      .number()
      .int()
      .min(8)
      .max(26)
      .default(22)
      .describe('2^bits weights, 8 bytes each, which features share by their hashes'),
    learningRate: z.number().positive().max(100).default(0.5).describe('step size'),
    initialAccumulator: z
      .number()
      .positive()
      .max(1e6)
      .default(4)
      .describe('squared gradients that each weight begins with; more: slower first steps'),
  })
  .superRefine(({ enabled, positive, negative, minimumValue }, context) => {
    if (!enabled) return;
    const both = positive.filter((behaviour) => negative.includes(behaviour));
    if (both.length > 0)
      context.addIssue({ code: 'custom', path: ['negative'], message: `${both[0]} is in \`positive\`, too` });
    if (minimumValue === undefined && (positive.length === 0 || negative.length === 0))
      context.addIssue({
        code: 'custom',
        path: ['enabled'],
        message:
          'needs events with both labels: name `positive` and `negative` behaviours, or a `minimumValue`',
      });
  })
  .prefault({})
  .describe('the click model: how likely a user is to click an item');
export type ClicksConfig = z.output<typeof clicksSchema>;
