import { z } from 'zod';
import { policyFields } from '../../model/policy/schema.js';

/** What lists try besides what the model thinks best. */
export const explorationSchema = z
  .strictObject({
    ...policyFields,
    pool: z
      .number()
      .int()
      .min(2)
      .max(10_000)
      .default(100)
      .describe('best items that the places of a list are filled from; `k` of them at least'),
    log: z
      .boolean()
      .default(false)
      .describe('true: every list served is written to the state directory, before it is answered'),
  })
  .prefault({})
  .describe('what lists try besides what the model thinks best, with the probability of each item shown');
export type ExplorationConfig = z.output<typeof explorationSchema>;
