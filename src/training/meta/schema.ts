import { z } from 'zod';
import { path, presets } from '../../config/fields.js';
import { GIVEN_BEFORE, givenBefore } from '../../evaluation/cold/schema.js';
import { modelSchema } from '../../model/registry.js';
import { commonTraining, lossName } from '../schema.js';
import { META_PRESET_NAMES, META_PRESETS } from './presets.js';

/** How a user's events become a task. */
export const tasksSchema = z
  .strictObject({
    least: z.number().int().min(2).default(13).describe('fewest events of a user that is a task'),
    most: z.number().int().min(2).default(100).describe('most events of a user that is a task'),
    query: z.number().int().min(1).default(10).describe('events of a task that are asked about'),
    support: z
      .array(z.number().int().min(0))
      .min(1)
      .optional()
      .describe(
        'numbers of events to adapt to, one of which is drawn for each task; validation is the mean over all of them; absent: all that are left',
      ),
    order: z
      .enum(['random', 'temporal'])
      .default('random')
      .describe('query events are drawn at random, or follow those adapted to'),
    diverged: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe(
        'largest share of validation tasks whose inner loop may diverge; such a task is taken as if nothing were given, and counted; above, the run stops',
      ),
    after: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe(
        'events are divided in time: of a user’s first so many the first are adapted to, and `query` random ones of all later are asked about',
      ),
  })
  .prefault({})
  .refine((t) => t.after !== undefined || t.least > t.query, {
    path: ['least'],
    message: 'must leave an event besides `query`',
  })
  .refine((t) => t.after === undefined || t.after + t.query <= t.most, {
    path: ['after'],
    message: 'with `query` must be at most `most`, or no user is a task',
  })
  .refine(givenBefore, GIVEN_BEFORE)
  .refine((t) => t.most >= t.least, { path: ['most'], message: 'must be at least `least`' })
  .describe(
    'users as tasks: their events are divided into those to adapt to (support) and those asked about (query)',
  );

const { validation, epochs, batchSize, ...common } = commonTraining;

/** `recsys meta-train`: the YAML's keys. */
export const metaTrainSchema = z
  .strictObject({
    preset: z
      .enum(META_PRESET_NAMES)
      .optional()
      .describe('a known algorithm: defaults for the keys below, under what is written here'),
    ...common,
    from: path('checkpoint to start from').optional(),
    model: modelSchema.prefault({ name: 'fold-in' }).describe('what adapts, and how; ignored with `from`'),
    loss: lossName.default('mse').describe('of the query events: mse of their values, or a ranking loss'),
    negatives: z.number().int().min(1).default(256).describe('negatives, for the losses that draw some'),
    tasks: tasksSchema,
    holdOut: z
      .strictObject({
        users: z.number().min(0).lt(1).default(0.1).describe('share of the users kept for validation'),
        items: z
          .number()
          .min(0)
          .lt(1)
          .default(0)
          .describe('share of the items kept from training, to validate on as new ones'),
        least: z.number().int().min(2).default(13).describe('fewest events of a user that is validated on'),
        most: z.number().int().min(2).default(100).describe('most events of a user that is validated on'),
        query: z
          .number()
          .int()
          .min(1)
          .default(10)
          .describe('events of theirs that are asked about; with `tasks.after` all later ones are'),
      })
      .prefault({})
      .refine((h) => h.least > h.query, { path: ['least'], message: 'must leave an event besides `query`' })
      .describe('what training does not see and validation asks about'),
    epochs: epochs.unwrap().default(30).describe('most passes over the tasks'),
    batchSize: batchSize.unwrap().default(32).describe('tasks a step'),
    validation: validation
      .unwrap()
      .extend({
        metric: z
          .string()
          .optional()
          .describe(
            'what early stopping watches: mae (the default), rmse or ndcg@3; with a ranking loss a ranking metric at 10 (default: ndcg@10)',
          ),
      })
      .prefault({})
      .describe('validation on the held-out users'),
  })
  .register(presets, META_PRESETS);

export type MetaTrainConfig = z.output<typeof metaTrainSchema>;
export type TasksConfig = z.output<typeof tasksSchema>;
