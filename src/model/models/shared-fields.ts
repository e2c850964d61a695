import { z } from 'zod';

export const idDropout = (rate: number) =>
  z
    .number()
    .min(0)
    .max(0.95)
    .default(rate)
    .describe('how often, while learning, an item goes without it, as new items do');

/** Keys of models that can rate items without a train row. */
export const coldItemFields = {
  itemIds: z
    .boolean()
    .default(true)
    .describe('items with train rows have a vector of their own besides that of their attributes'),
  idDropout: idDropout(0.2),
  itemAttributes: z.boolean().default(true).describe('add vectors computed from item attributes'),
  userAttributes: z.boolean().default(true).describe('add a vector computed from user attributes'),
};

/** What answers what comes next of one behaviour. */
export const behaviourHeads = z.union([
  z.boolean(),
  z.strictObject({
    experts: z
      .number()
      .int()
      .min(1)
      .max(64)
      .describe('experts that all behaviours share, and as many of each one’s own, mixed by a gate (PLE)'),
    expertWidth: z.number().int().min(1).max(4096).default(32).describe('hidden units of an expert'),
  }),
]);

/** Key of models that can be asked what comes next of one behaviour. */
export const headFields = {
  behaviourHeads: behaviourHeads
    .default(false)
    .describe(
      'a head for each behaviour over the shared state, which answers what comes next of it (where there are several): true, a linear one, or a mixture of experts',
    ),
};

/** Key of models that keep long-term interest apart. */
export const longTermFields = {
  shortTerm: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe(
      'of the events read, how many are short-term interest; those longer ago are a weighted mean beside, joined by a learned gate (LSTUR); default: all, without a mean',
    ),
};

/** Keys of models that read the values of events. */
export const valueFields = {
  center: z
    .number()
    .optional()
    .describe(
      'the value an average event has, from which what is read and predicted is counted; default: 0, in meta-train the mean of the train rows',
    ),
};
