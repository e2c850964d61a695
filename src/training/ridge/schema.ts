import { z } from 'zod';

/** One value, or several of which the one that ranks the validation part best is taken. */
const tried = <T extends z.ZodType>(value: T) => z.union([value, z.array(value).min(1)]);

/** How a sparse-linear model is fitted; shared by pretrain and distill. */
export const ridgeSchema = z
  .strictObject({
    lambda: tried(z.number().positive())
      .default([30, 100, 300, 1000])
      .describe('ridge λ that holds weights small; of a list the best one on the validation part'),
    decay: tried(z.number().gt(0).max(1))
      .optional()
      .describe('decays that are tried in place of the model’s own; the best one is kept'),
    inputs: z
      .number()
      .int()
      .min(1)
      .default(6000)
      .describe(
        'most inputs (items, values of attributes) that are fitted: time grows with their cube, memory with their square',
      ),
  })
  .prefault({})
  .describe('how a sparse-linear model is fitted, in closed form; other models do not read it');

export type RidgeConfig = z.output<typeof ridgeSchema>;
