import { z } from 'zod';

/** What watches over learning, and what it does. */
export const guardSchema = z
  .strictObject({
    action: z
      .enum(['rollback', 'pause', 'alert'])
      .default('rollback')
      .describe(
        'what follows where learning makes the model worse: it pauses and what was learned goes back to the last good snapshot, it pauses, or an alert alone',
      ),
  })
  .prefault({})
  .describe('what watches over learning, and what it does');
export type GuardConfig = z.output<typeof guardSchema>;
