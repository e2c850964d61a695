import { z } from 'zod';

/** How the places of a list are filled from scores. */
export const policyFields = {
  kind: z
    .enum(['none', 'epsilon-greedy', 'softmax', 'thompson'])
    .default('none')
    .describe(
      'how each place of a list is filled from the pool: none, by the best; epsilon-greedy, by the best, but by any with the chance `epsilon`; softmax, by chance ∝ exp(score / `temperature`); thompson, by the best of scores drawn around the model’s, the wider the fewer interactions an item has',
    ),
  epsilon: z
    .number()
    .gt(0)
    .max(1)
    .default(0.1)
    .describe('epsilon-greedy: chance that a place goes to any item of the pool'),
  temperature: z
    .number()
    .positive()
    .default(1)
    .describe(
      'softmax: what scores are divided by; thompson: standard deviation of the score of an item that nobody has chosen yet',
    ),
} as const;

export const policySchema = z.strictObject(policyFields);
/** How the places of a list are filled: a rule that gives each open item a probability. */
export type Policy = z.output<typeof policySchema>;
