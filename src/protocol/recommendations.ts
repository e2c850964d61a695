import { z } from 'zod';
import { eventTime, eventValue, externalId, idList } from './ids.js';

const MAX_IDS = 10_000;
const ids = z.array(externalId).max(MAX_IDS);
/** Of a number of a state: far beyond any, and small enough that scores are numbers. */
const MOST = 1e15;

const askedBehaviour = z
  .string()
  .max(64)
  .describe('rank what comes next by this behaviour; needs a model with behaviour heads. Absent: by any');

/** Why a list is not the model's newest. */
export const FALLBACK_REASONS = ['unknown user', 'scoring failed', 'budget'] as const;
export type FallbackReason = (typeof FALLBACK_REASONS)[number];

const reasonsAsked = z.boolean().describe('true: say for each item which events of the history carried it');
const budgetMs = z
  .number()
  .positive()
  .max(60_000)
  .describe(
    'milliseconds for the list; where scores cannot be had in time it is the user’s last one, or popular items. Default: `requests.budgetMs`',
  );

/** Body of `POST /v1/recommendations`. */
export const recommendSchema = z
  .strictObject({
    user: externalId.optional().describe('any id; one never seen before gets popular items'),
    history: z
      .array(
        z.union([
          externalId,
          z.strictObject({
            item: externalId,
            behaviour: z.string().max(64).optional(),
            time: eventTime.optional().describe('needed by a model that reads times'),
            value: eventValue.optional().describe('rating, play count'),
          }),
        ]),
      )
      .max(1000)
      .optional()
      .describe(
        'events of an anonymous session, oldest first; follows the history of `user` where both are given',
      ),
    state: z
      .array(z.number().min(-MOST).max(MOST))
      .min(1)
      .max(MAX_IDS)
      .optional()
      .describe('a state that `/v1/state` or `recsys adapt` gave: scores follow from it alone'),
    modelVersion: z
      .string()
      .max(128)
      .optional()
      .describe(
        'with `state`: the model it is of (`modelVersion` of `/v1/state`, `model` of `recsys adapt`); one of another checkpoint is refused',
      ),
    k: z.number().int().min(1).max(1000).optional().describe('items returned'),
    adapter: z.string().max(64).optional().describe('score with this adapter added to the model'),
    behaviour: askedBehaviour.optional(),
    exclude: ids.optional().describe('items never returned'),
    candidates: ids.min(1).optional().describe('rank these items only; those already seen stay in'),
    includeSeen: z.boolean().default(false).describe('true: items of the history may be returned again'),
    reasons: reasonsAsked.optional(),
    budgetMs: budgetMs.optional(),
    context: z.record(z.string().max(64), z.unknown()).optional().describe('kept for later use'),
  })
  .refine((r) => r.user !== undefined || r.history !== undefined || r.state !== undefined, {
    path: ['user'],
    message: 'give `user`, `history` or `state`',
  })
  .refine((r) => r.state === undefined || r.adapter === undefined, {
    path: ['adapter'],
    message: 'a state is of the model without an adapter',
  })
  .refine((r) => r.state === undefined || r.behaviour === undefined, {
    path: ['behaviour'],
    message: 'a state says what comes next by any behaviour',
  })
  .refine((r) => r.modelVersion === undefined || r.state !== undefined, {
    path: ['modelVersion'],
    message: 'is what a `state` is of, and there is none',
  });
export type RecommendRequest = z.output<typeof recommendSchema>;

/** Query of `GET /v1/recommendations`. */
export const recommendQuerySchema = z.strictObject({
  user: externalId,
  k: z.coerce.number().int().min(1).max(1000).optional(),
  adapter: z.string().max(64).optional().describe('score with this adapter added to the model'),
  behaviour: askedBehaviour.optional(),
  exclude: idList.optional().describe('item ids, separated by commas'),
  includeSeen: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .default(false),
  reasons: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .describe('true: say for each item which events of the history carried it'),
  budgetMs: z.coerce.number().pipe(budgetMs).optional(),
});

/** An event that an item is in the list because of. */
export const reasonSchema = z.object({
  item: z.string().describe('item of the event'),
  behaviour: z.string(),
  share: z.number().describe('of what all events that speak for the item add to its score, 0 to 1'),
});
export type Reason = z.output<typeof reasonSchema>;

/** A list, best first. */
export const recommendReplySchema = z.object({
  requestId: z.string(),
  user: z.string().optional(),
  items: z.array(
    z.object({
      item: z.string(),
      title: z.string(),
      score: z.number(),
      propensity: z
        .number()
        .optional()
        .describe('where lists explore: probability of the item at its place, given those above'),
      reasons: z.array(reasonSchema).optional().describe('where asked for: the events that carried it most'),
    }),
  ),
  listPropensity: z
    .number()
    .optional()
    .describe('where lists explore: probability of the whole list, the product of its items’'),
  modelVersion: z
    .string()
    .describe('<base checkpoint>+<events learned since>, and .<rollbacks> where something was taken back'),
  adapter: z.string().optional().describe('the adapter that was asked for, or that the variant has'),
  variant: z
    .string()
    .optional()
    .describe('where there is an experiment: the variant that the user is dealt to'),
  fallback: z
    .boolean()
    .describe('true: popular items, or what is left of the user’s last list, and `fallbackReason` says why'),
  fallbackReason: z.enum(FALLBACK_REASONS).optional(),
  unknown: z.array(z.string()).describe('item ids of the request that are not in the catalogue'),
});
export type RecommendQuery = z.output<typeof recommendQuerySchema>;
