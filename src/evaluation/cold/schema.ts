import { z } from 'zod';
import { GROUPS } from '../../data/tasks.js';

const scenario = z.strictObject({
  users: z.enum(GROUPS).describe('users with train rows, or those without'),
  items: z.enum(GROUPS).describe('items with train rows, or those without'),
});

const ALL = GROUPS.flatMap((items) => GROUPS.map((users) => ({ users, items })));

/** What may be asked of a user's other events: their values, or which items they are of. */
export const COLD_TASKS = ['rating', 'ranking'] as const;
export type ColdTask = (typeof COLD_TASKS)[number];

/** Refuses more given events than come before those asked about. */
export const GIVEN_BEFORE = {
  path: ['support'],
  message: 'no more events are given than come before those asked about (`after`)',
};
export const givenBefore = ({
  support = [],
  after = Number.POSITIVE_INFINITY,
}: {
  readonly support?: readonly (number | 'all')[] | undefined;
  readonly after?: number | undefined;
}): boolean => support.every((k) => k === 'all' || k <= after);

/** How cold start is evaluated: users as tasks, of whom some events are given and others asked about. */
export const coldSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('false: rank as without `cold`'),
    task: z
      .enum(COLD_TASKS)
      .default('rating')
      .describe('what is asked: the values of events, or which items they are of, among all of the scenario'),
    scenarios: z.array(scenario).min(1).default(ALL).describe('which users meet which items'),
    support: z
      .array(z.union([z.number().int().min(0), z.literal('all')]))
      .min(1)
      .default(['all'])
      .describe('numbers of events that are given, one table row each; the first ones of the same order'),
    query: z
      .number()
      .int()
      .min(1)
      .default(10)
      .describe('events of each user, at random, that are asked about'),
    after: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe(
        'in place of `query`: all events after a user’s so-manieth are asked about; of the earlier ones the first are given',
      ),
    least: z.number().int().min(2).default(13).describe('fewest events of a user in the scenario'),
    published: z
      .array(
        z.strictObject({
          name: z.string().min(1).describe('name in tables'),
          source: z.string().min(1).describe('where it was published'),
          ...scenario.shape,
          metrics: z.record(z.string(), z.number()).describe('figures by metric'),
        }),
      )
      .default([])
      .describe('rows of others’ tables, shown beside'),
    most: z.number().int().min(2).default(100).describe('most events of a user in the scenario'),
  })
  .refine((c) => c.after !== undefined || c.least > c.query, {
    path: ['least'],
    message: 'must leave an event besides `query`',
  })
  .refine((c) => c.after === undefined || c.after < c.most, {
    path: ['after'],
    message: 'must be below `most`, or no user has an event after it',
  })
  .refine(givenBefore, GIVEN_BEFORE)
  .refine((c) => c.most >= c.least, { path: ['most'], message: 'must be at least `least`' });

export type ColdConfig = z.output<typeof coldSchema>;
export type Support = ColdConfig['support'][number];
