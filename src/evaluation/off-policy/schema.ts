import { z } from 'zod';
import { BACKENDS } from '../../compute/backend.js';
import { path, seed } from '../../config/fields.js';
import { policySchema } from '../../model/policy/schema.js';

/** What `recsys off-policy` is told. */
export const offPolicySchema = z.strictObject({
  log: path('lists that were served and what came of them: JSON lines, as `recsys impressions` writes them'),
  model: path('checkpoint whose lists are to be estimated'),
  policy: policySchema
    .prefault({})
    .describe('how it would fill the places of a list, out of the pool that each was filled from'),
  behaviours: z
    .array(z.string().min(1))
    .default([])
    .describe('events that count as a success of the item they are on; none named: all'),
  weighting: z
    .enum(['cascade', 'place'])
    .default('cascade')
    .describe(
      'weight of a place: cascade, of the list down to it, exact where what comes of a place depends on what stands above; place, of its own item alone, with less variance',
    ),
  allow: z
    .array(z.enum(['estimated', 'reranked']))
    .default([])
    .describe(
      'lists taken all the same: estimated, those whose propensities are marked so; reranked, those that caps or diversity had a part in, which the estimate knows nothing of',
    ),
  bootstrap: z
    .strictObject({
      resamples: z.number().int().min(100).max(100_000).default(2000).describe('resamples of the users'),
    })
    .prefault({})
    .describe('intervals'),
  batchSize: z.number().int().min(1).max(4096).default(64).describe('lists scored at once'),
  backend: z.enum(BACKENDS).optional().describe('tensor backend; absent: the best there is'),
  seed,
});
export type OffPolicyConfig = z.output<typeof offPolicySchema>;
