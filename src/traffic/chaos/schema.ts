import { z } from 'zod';
import { BACKENDS } from '../../compute/backend.js';
import { path, seed } from '../../config/fields.js';

export const chaosSchema = z.strictObject({
  model: path('checkpoint to serve'),
  data: path('dataset whose histories are known from the start').optional(),
  service: path('YAML of `recsys serve-online`: how it is served').optional(),
  state: path('state directory to begin with; it is copied, and no service may hold it').optional(),
  kills: z.number().int().min(1).default(10).describe('times that the service is killed'),
  failpoints: z
    .number()
    .int()
    .min(0)
    .default(1)
    .describe(
      'times that it dies at each named moment besides: between writing and syncing, recording and learning, and so on',
    ),
  rate: z
    .number()
    .positive()
    .default(1000)
    .describe('events a second; what waits while the service is away is sent afterwards'),
  batch: z.number().int().min(1).max(1000).default(20).describe('events in one request'),
  users: z.number().int().min(1).default(1000).describe('users that the events are of'),
  life: z
    .strictObject({
      least: z.number().min(0).default(0.2).describe('seconds after it is ready'),
      most: z.number().positive().default(3).describe('seconds after it is ready'),
    })
    .prefault({})
    .refine(({ least, most }) => least <= most, '`least` must not be above `most`')
    .describe('between which moments it is killed; one time in four it is killed while it starts'),
  startup: z.number().positive().default(120).describe('seconds that a start may take'),
  backend: z.enum(BACKENDS).optional().describe('tensor backend; absent: the best there is'),
  seed,
});
export type ChaosConfig = z.output<typeof chaosSchema>;

/** A storm on a service that may ask for a key. */
export interface StormConfig extends ChaosConfig {
  /** `RECSYS_API_KEY`: what is written down of a storm is without it. */
  readonly apiKey?: string | undefined;
}
