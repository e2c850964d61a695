import { z } from 'zod';
import { BACKENDS } from '../../compute/backend.js';
import { path, seed } from '../../config/fields.js';
import { COLD_TASKS } from '../cold/schema.js';
import { STRATEGY_NAMES } from './index.js';

/** Questions of a tree, which triples with each: eight make a file of a megabyte, thirteen one of 300. */
const MOST_IN_TREE = 8;

/** The YAML of `recsys elicit`. */
export const elicitSchema = z
  .strictObject({
    data: path('prepared dataset directory'),
    model: path('checkpoint that is to know new users'),
    task: z
      .enum(COLD_TASKS)
      .default('rating')
      .describe('what the model is to do well: foretell values, or find items among all'),
    strategy: z
      .enum(STRATEGY_NAMES)
      .default('tree')
      .describe(
        'how questions are chosen: what is popular, telling (entropy), diverse, moves a user’s state (gradient), helps most (gain), or helps most after the answers before (tree)',
      ),
    questions: z.number().int().min(1).default(5).describe('questions of an interview'),
    count: z
      .number()
      .int()
      .min(1)
      .default(20)
      .describe('items in the list that is written: more than `questions`, since some are known'),
    candidates: z
      .number()
      .int()
      .min(1)
      .default(100)
      .describe('the most popular items may be asked about, so many'),
    users: z.number().int().min(1).default(5000).describe('existing users that `gain` tries questions on'),
    simulate: z.boolean().default(false).describe('interview new users by every strategy, and compare'),
    query: z.number().int().min(1).default(10).describe('events of each user that the model is judged by'),
    least: z.number().int().min(2).default(13).describe('fewest events of a user'),
    most: z.number().int().min(2).default(3000).describe('most events of a user'),
    bootstrap: z
      .strictObject({ resamples: z.number().int().min(100).default(2000).describe('resamples of the users') })
      .prefault({})
      .describe('95 % intervals by bootstrap over users'),
    backend: z.enum(BACKENDS).optional().describe('tensor backend; default: the best one available'),
    seed,
  })
  .refine((c) => c.least > c.query, { path: ['least'], message: 'must leave an event besides `query`' })
  .refine((c) => c.strategy !== 'tree' || c.questions <= MOST_IN_TREE, {
    path: ['questions'],
    message: `must be at most ${MOST_IN_TREE} with strategy tree, whose questions triple with each; a list, such as gain, may have more`,
  })
  .refine((c) => c.count >= c.questions, { path: ['count'], message: 'must be at least `questions`' })
  .refine((c) => c.candidates >= c.count, { path: ['candidates'], message: 'must be at least `count`' });
export type ElicitConfig = z.output<typeof elicitSchema>;
