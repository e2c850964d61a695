import { z } from 'zod';
import { FALLBACK_REASONS } from '../../protocol/recommendations.js';

const pastEvent = z.object({
  item: z.string(),
  behaviour: z.string(),
  /** Milliseconds since the epoch. */
  time: z.number().exactOptional(),
  value: z.number().exactOptional(),
});

/** A list as it was served: what was shown and how likely that was, and all that another policy needs to say what it would have shown. */
export const impressionRecord = z.object({
  type: z.literal('impression'),
  requestId: z.string(),
  /** Milliseconds since the epoch. */
  time: z.number(),
  user: z.string().exactOptional(),
  modelVersion: z.string(),
  /** How places were filled (`exploration.kind`). */
  policy: z.string(),
  /** First place first; a propensity is that of the item at its place, given those above. Absent where the list is one made before. */
  items: z.array(z.object({ item: z.string(), propensity: z.number().exactOptional() })),
  /** Items that the places could go to; absent where they could go to no others. */
  pool: z.array(z.string()).exactOptional(),
  /** Events that the scores follow from, oldest first. */
  history: z.array(pastEvent),
  adapter: z.string().exactOptional(),
  behaviour: z.string().exactOptional(),
  fallbackReason: z.enum(FALLBACK_REASONS).exactOptional(),
  /** True where caps or diversity had a part in it. */
  reranked: z.literal(true).exactOptional(),
});
export type Impression = Readonly<z.output<typeof impressionRecord>>;
export type PastEvent = z.output<typeof pastEvent>;
