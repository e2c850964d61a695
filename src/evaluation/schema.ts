import { z } from 'zod';
import { BACKENDS } from '../compute/backend.js';
import { path, seed } from '../config/fields.js';
import { budgetSchema } from '../model/adaptation/budget.js';
import { BASELINES, SHOWN } from './baselines/registry.js';
import { coldSchema } from './cold/schema.js';

const model = z.union([
  path('checkpoint directory'),
  z.strictObject({
    name: z.string().min(1).optional().describe('name in tables; default: the directory’s name'),
    path: path('checkpoint directory'),
    events: z
      .boolean()
      .default(true)
      .describe(
        'with `cold`: false for a model that is given no event, only what is known of a user besides',
      ),
  }),
  z.strictObject({
    name: z.string().min(1).describe('name in tables'),
    rankings: path('lists made elsewhere: CSV, TSV, JSONL or Parquet with columns user, item, score'),
  }),
]);

/** What is ranked, and how: shared by every row of a result. */
export const taskFields = {
  part: z.enum(['test', 'validation']).default('test').describe('which held-out rows are the targets'),
  ks: z
    .array(z.number().int().min(1))
    .min(1)
    .default([1, 5, 10, 20])
    .transform((ks) => [...new Set(ks)].sort((a, b) => a - b))
    .describe('lengths k of the lists the metrics are computed on'),
  filterSeen: z
    .boolean()
    .default(true)
    .describe('remove the items of the user’s history from the ranking (never a target)'),
  candidates: z
    .enum(['train', 'all'])
    .optional()
    .describe('items that are ranked: those with train rows, or all; default: as the dataset declares'),
  targetBehaviours: z
    .array(z.string().min(1))
    .optional()
    .describe('only held-out rows of these behaviours are targets; default: all'),
  unseenTargets: z
    .boolean()
    .default(false)
    .describe(
      'leave out targets that are in the user’s own history: only what is new to them is to be found',
    ),
  sampledNegatives: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe(
      'rank each target among so many random items instead of all candidates: biased, and marked in every name',
    ),
  maxUsers: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('evaluate at most so many users (with `impressions`: so many of these), drawn with the seed'),
  impressions: z
    .boolean()
    .default(false)
    .describe(
      'rank what was shown together, impression by impression, in place of all items: AUC, MRR, NDCG (of a dataset that keeps impressions)',
    ),
  asked: z
    .enum(['target', 'any'])
    .default('target')
    .describe(
      'what models with behaviour heads are asked: what comes next by the behaviour of a user’s targets (where all have one), or by any',
    ),
};

/** Settings of a ranking of the catalogue, or of something else than a ranking. */
const OF_ALL_ITEMS = [
  'candidates',
  'unseenTargets',
  'sampledNegatives',
  'perBehaviour',
  'labels',
  'ratings',
  'attack',
  'cold',
] as const;

/** The YAML of `recsys evaluate`. */
export const evaluateSchema = z
  .strictObject({
    data: path('prepared dataset directory'),
    models: z.array(model).default([]).describe('checkpoints to evaluate, and files of lists made elsewhere'),
    baselines: z
      .array(z.enum(BASELINES))
      .default([...SHOWN])
      .describe(
        'simple models fitted on the train rows, shown beside; `last-seen` and `most-seen` only where they are named',
      ),
    easeItems: z
      .number()
      .int()
      .min(1)
      .default(6000)
      .describe(
        'largest catalogue EASE is fitted on: its memory grows with the square of the items, its time with the cube',
      ),
    ...taskFields,
    perBehaviour: z
      .boolean()
      .default(false)
      .describe('also evaluate the targets of each behaviour by themselves, as a task of their own'),
    labels: z
      .strictObject({
        minimumValue: z.number().describe('label 1 where the value (rating) is at least this, else 0'),
      })
      .optional()
      .describe(
        'also score single held-out pairs against labels: AUC, log-loss, accuracy (for models trained on labels)',
      ),
    ratings: z
      .boolean()
      .default(false)
      .describe(
        'also score single held-out pairs against their values: RMSE, MAE (for models trained with mse)',
      ),
    bootstrap: z
      .strictObject({
        resamples: z.number().int().min(100).default(2000).describe('resamples of the users'),
      })
      .prefault({})
      .describe('95 % intervals by bootstrap over users'),
    latencyQueries: z
      .number()
      .int()
      .min(0)
      .default(200)
      .describe('single requests timed for milliseconds per request; 0 = none'),
    controls: z
      .record(z.string(), z.string())
      .default({})
      .describe(
        'the control of a row (student, say, has student-alone), with which it is compared user by user',
      ),
    reference: z
      .string()
      .min(1)
      .optional()
      .describe('a model that the others are measured by: what they keep of its quality, weights and bytes'),
    published: z
      .array(
        z.strictObject({
          name: z.string().min(1).describe('name in tables'),
          source: z.string().min(1).describe('where it was published'),
          metrics: z
            .record(z.string().regex(/^((ndcg|hr|mrr)@\d+|auc|mrr)$/), z.number())
            .describe(
              'figures by metric: ndcg, hr or mrr at a k (of impressions: auc, mrr, ndcg at a k); those at the table’s k are shown',
            ),
        }),
      )
      .default([])
      .describe('rows of others’ tables, shown beside; only you can know that their protocol is the same'),
    attack: z
      .strictObject({
        epsilon: z
          .array(z.number().positive())
          .min(1)
          .default([0.5, 1])
          .transform((all) => [...new Set(all)].sort((a, b) => a - b))
          .describe('lengths by which each item’s vector is moved, one attack each'),
      })
      .optional()
      .describe(
        'also measure models with their items’ vectors moved where the loss of the questions grows fastest, and moved at random',
      ),
    cold: coldSchema
      .optional()
      .describe(
        'evaluate cold start instead: scenarios of new users and items, of whom only some events are given',
      ),
    against: path('another evaluation’s directory: paired differences with it').optional(),
    backend: z.enum(BACKENDS).optional().describe('tensor backend; default: the best one available'),
    seed,
  })
  .superRefine((config, context) => {
    if (!config.impressions) return;
    for (const key of OF_ALL_ITEMS)
      if (config[key] !== undefined && config[key] !== false)
        context.addIssue({
          code: 'custom',
          path: [key],
          message: 'does not go with `impressions`, which ranks what was shown and nothing else',
        });
  });
export type EvaluateConfig = z.output<typeof evaluateSchema>;

/** The YAML of `recsys recommend`. */
/** Whose histories are read. */
const historiesFields = {
  data: path(
    'prepared dataset that holds the users’ histories; default: the one the model was trained on',
  ).optional(),
  users: z.array(z.string().min(1)).optional().describe('user ids; default: every user of the dataset'),
  usersFile: path('text file with one user id a line').optional(),
  histories: path(
    'JSONL file of histories, one user a line: {"user": id, "items": [id, …]} or {"user": id, "events": [{"item": id, "behaviour": name}, …]}',
  ).optional(),
};
const historiesSchema = z.strictObject(historiesFields);
export type HistoriesConfig = z.output<typeof historiesSchema>;

/** How `recsys adapt` writes states. */
export const STATE_FORMATS = ['jsonl', 'parquet'] as const;

/** `recsys adapt`: the YAML's keys. */
export const adaptSchema = z.strictObject({
  model: path('checkpoint directory'),
  ...historiesFields,
  budget: budgetSchema,
  format: z.enum(STATE_FORMATS).optional().describe('output format; default: by the extension of --out'),
  batchSize: z.number().int().min(1).default(64).describe('users adapted to at a time'),
  backend: z.enum(BACKENDS).optional().describe('tensor backend; default: the best one available'),
});
export type AdaptConfig = z.output<typeof adaptSchema>;

export const recommendSchema = z.strictObject({
  model: path('checkpoint directory'),
  ...historiesFields,
  states: path('file of user states that `recsys adapt` wrote, in place of histories').optional(),
  behaviour: z
    .string()
    .min(1)
    .optional()
    .describe('list what comes next by this behaviour (a model with behaviour heads); default: by any'),
  k: z.number().int().min(1).max(10_000).default(10).describe('items a user'),
  filterSeen: z.boolean().default(true).describe('leave out the items of the user’s history'),
  candidates: z
    .enum(['train', 'all'])
    .default('all')
    .describe('items that may be recommended: those with train rows, or all the model knows'),
  format: z
    .enum(['csv', 'jsonl', 'parquet'])
    .optional()
    .describe('output format; default: by the extension of --out'),
  batchSize: z.number().int().min(1).default(128).describe('users scored at a time'),
  backend: z.enum(BACKENDS).optional().describe('tensor backend; default: the best one available'),
});
export type RecommendConfig = z.output<typeof recommendSchema>;
