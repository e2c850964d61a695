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
    updates: z
      .strictObject({
        maxGradient: z
          .number()
          .min(0)
          .default(100)
          .describe(
            'an update is not made whose gradient is more than so many times as large, per event, as the median of those before; 0 = no limit',
          ),
        refusals: z
          .number()
          .int()
          .min(1)
          .default(10)
          .describe('so many updates refused one after the other raise an alert'),
      })
      .prefault({})
      .describe('which updates are not made'),
  })
  .prefault({})
  .describe('what watches over learning, and what it does');
export type GuardConfig = z.output<typeof guardSchema>;
