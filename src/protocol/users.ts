import { z } from 'zod';
import { externalId } from './ids.js';
import { impressionFields } from './impressions.js';

/** Path of `/v1/users/{id}` and what is below it. */
export const userPathSchema = z.strictObject({ id: externalId });

/** Query of `GET /v1/users/{id}`. */
export const userQuerySchema = z.strictObject({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('events after this journal number: `next` of the answer before'),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000).describe('most events in the answer'),
});
export type UserQuery = z.input<typeof userQuerySchema>;

/** Query of `GET /v1/users/{id}/impressions`. */
export const userImpressionsQuerySchema = z.strictObject({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('lists after this number: `next` of the answer before, or `nextImpressions`'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('most lists in the answer'),
});
export type UserImpressionsQuery = z.input<typeof userImpressionsQuerySchema>;

const servedLists = z
  .array(z.object({ seq: z.number().describe('number in the log'), ...impressionFields }))
  .describe('lists that were served, oldest first, where `exploration.log` was on');

/** Lists that were served to a user. */
export const userImpressionsReplySchema = z.object({
  requestId: z.string(),
  user: z.string(),
  impressions: servedLists,
  next: z.number().nullable().describe('ask again with `after` for more lists; null: these were the last'),
});

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** Everything known of a user. */
export const userReplySchema = z.object({
  requestId: z.string(),
  user: z.string(),
  events: z
    .array(
      z.object({
        seq: z.number().describe('number in the journal'),
        id: z.string(),
        item: z.string(),
        behaviour: z.string(),
        time: z.number().describe('milliseconds since the epoch'),
        value: z.number().optional(),
        requestId: z.string().optional().describe('the list that it came of'),
        shown: z.array(z.string()).readonly().optional().describe('what that list showed'),
        context: z.record(z.string(), scalar).optional(),
        disposition: z
          .enum(['learned', 'skipped'])
          .optional()
          .describe('what became of it; absent where the journal does not say yet'),
        reason: z.string().optional().describe('why it was skipped'),
      }),
    )
    .describe('in the journal, oldest first'),
  next: z.number().nullable().describe('ask again with `after` for more events; null: these were the last'),
  journal: z
    .object({ first: z.number(), last: z.number() })
    .describe('records that the journal holds; older ones are in the history and the weights alone'),
  history: z
    .array(
      z.object({
        item: z.string(),
        behaviour: z.string(),
        time: z.number().optional(),
        value: z.number().optional(),
      }),
    )
    .optional()
    .describe('what lists are made from, oldest first; in the answer without `after`'),
  impressions: servedLists.optional(),
  nextImpressions: z
    .number()
    .nullable()
    .optional()
    .describe(
      'ask `/v1/users/{id}/impressions` with it as `after` for more lists; null: these were the last',
    ),
  weights: z.array(z.number()).nullable().describe('the user’s own weights as served; null: there are none'),
  measuredWeights: z
    .array(z.number())
    .nullable()
    .describe('the user’s own weights in the arm of the quality measurement that has nothing else'),
  budget: z.number().describe('events of the user that count against `guard.userBudget`'),
  checkpoint: z
    .object({
      known: z.boolean().describe('whether the checkpoint was trained on the user, or has served them'),
      attributes: z
        .object({
          tokens: z.array(z.string()).describe('attribute=value'),
          numbers: z.record(z.string(), z.number()).describe('standardised as the model reads them'),
        })
        .nullable()
        .describe('null: the user is not among those it was trained on'),
    })
    .describe('what the checkpoint served knows of the user'),
  dataset: z.boolean().nullable().describe('whether `data` has events of the user; null: there is none'),
});

/** Where something of an erased user may be left. */
export const residualSchema = z.object({
  where: z.enum(['weights', 'checkpoint', 'dataset']),
  message: z.string(),
  remedy: z.string(),
});

/** Answer of `DELETE /v1/users/{id}`. */
export const erasureReplySchema = z.object({
  requestId: z.string(),
  user: z.string(),
  erased: z.literal(true),
  events: z.number().describe('events of the user that the journal held'),
  impressions: z.number().describe('lists of the user that the log of impressions held'),
  rebuilt: z
    .enum(['now', 'scheduled'])
    .describe(
      'whether weights that all share are already what they would be without the user, or once they are rebuilt, in the background or by the next start',
    ),
  residual: z.array(residualSchema).describe('where something of the user may be left, and what to do'),
});
