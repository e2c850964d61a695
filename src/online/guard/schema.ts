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
    userBudget: z
      .strictObject({
        events: z
          .number()
          .int()
          .min(0)
          .default(1000)
          .describe(
            'most events of one user that shared weights learn among the last `window`; 0 = no bound',
          ),
        window: z
          .number()
          .int()
          .min(10)
          .max(1_000_000)
          .default(20_000)
          .describe('newest events learned, of all users'),
      })
      .prefault({})
      .describe(
        'how far one user can move weights that all share: events beyond are kept, and move that user’s own history and weights alone',
      ),
    drift: z
      .strictObject({
        adwin: z
          .number()
          .min(0)
          .max(1)
          .default(0.002)
          .describe('δ of ADWIN: chance that a window without a change is cut; 0 = off'),
        pageHinkley: z
          .strictObject({
            delta: z.number().min(0).max(1).default(0.02).describe('rise of the mean that is taken for none'),
            threshold: z.number().min(0).default(20).describe('λ: sum of rises at which it alarms; 0 = off'),
          })
          .prefault({})
          .describe('the Page–Hinkley test'),
      })
      .prefault({})
      .describe(
        'whether events become harder to foretell: the loss of what is served, log-loss over twice that of guessing; an alert alone',
      ),
    comparison: z
      .strictObject({
        window: z.number().int().min(50).max(100_000).default(1000).describe('newest events that count'),
        minimumEvents: z.number().int().min(10).default(200).describe('events without which nothing is said'),
        minimumUsers: z
          .number()
          .int()
          .min(5)
          .default(20)
          .describe('users without which nothing is said; each counts once'),
        margin: z
          .strictObject({
            logLoss: z.number().min(0).default(0.05).describe('nats; of a model that learns by softmax'),
            ndcg: z.number().min(0).max(1).default(0.01).describe('NDCG@10'),
          })
          .prefault({})
          .describe('how much worse is still taken for the same'),
      })
      .prefault({})
      .describe(
        'what is served against the model as it was, on recent events (needs `quality.arms`): it fails where the 95 % interval of the difference is beyond the margin',
      ),
  })
  .prefault({})
  .describe('what watches over learning, and what it does');
export type GuardConfig = z.output<typeof guardSchema>;
