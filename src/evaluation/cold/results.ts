import { z } from 'zod';
import { GROUPS } from '../../data/tasks.js';
import { COLD_TASKS } from './schema.js';

export const COLD_FORMAT = 1;

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });

const row = z.object({
  name: z.string(),
  kind: z.enum(['baseline', 'model', 'unadapted']),
  /** Events that were given; all there were where it is `all`. */
  support: z.union([z.number(), z.literal('all')]),
  /** Means over users with their 95 % intervals. */
  metrics: z.record(z.string(), interval),
  /** This row less the reference, user by user. */
  difference: z.record(z.string(), interval).optional(),
});

/** `results.json` of a cold-start evaluation. */
export const coldResultsSchema = z.object({
  kind: z.literal('cold-start'),
  formatVersion: z.number().int(),
  dataset: z.object({ path: z.string(), name: z.string(), fingerprint: z.string() }),
  /** The settings that make two results comparable. */
  protocol: z.looseObject({
    task: z.enum(COLD_TASKS).default('rating'),
    query: z.number(),
    after: z.number().optional(),
    least: z.number(),
    most: z.number(),
  }),
  seed: z.number(),
  scenarios: z.array(
    z.object({
      users: z.enum(GROUPS),
      items: z.enum(GROUPS),
      /** Users that are tasks. */
      tasks: z.number(),
      rows: z.array(row),
    }),
  ),
  reference: z.string().optional(),
  /** Milliseconds to adapt to one user, alone, and how many numbers the adapted state has. */
  adaptation: z.array(z.object({ name: z.string(), state: z.number(), p50: z.number(), p99: z.number() })),
  published: z.array(
    z.object({
      name: z.string(),
      source: z.string(),
      users: z.enum(GROUPS),
      items: z.enum(GROUPS),
      metrics: z.record(z.string(), z.number()),
    }),
  ),
  seconds: z.number(),
});

export type ColdResults = z.infer<typeof coldResultsSchema>;
export type ColdRow = z.infer<typeof row>;
