import { z } from 'zod';
import { FALLBACK_REASONS } from './recommendations.js';

const pastEvent = z.object({
  item: z.string(),
  behaviour: z.string(),
  time: z.number().exactOptional().describe('milliseconds since the epoch'),
  value: z.number().exactOptional(),
});
export type PastEvent = z.output<typeof pastEvent>;

/** Which of an experiment's variants a list was made by. */
const variantOf = z.object({
  experiment: z.string(),
  name: z.string(),
  share: z.number().describe('of the users that are dealt to it, 0 to 1'),
});
export type VariantOf = z.output<typeof variantOf>;

/** A list as it was served: what was shown and how likely that was, and all that another policy needs to say what it would have shown. */
export const impressionFields = {
  requestId: z.string(),
  time: z.number().describe('milliseconds since the epoch'),
  modelVersion: z.string(),
  policy: z.string().describe('how places were filled: `exploration.kind`'),
  items: z
    .array(z.object({ item: z.string(), propensity: z.number().exactOptional() }))
    .describe(
      'first place first; a propensity is that of the item at its place, given those above, and absent where the list is one made before',
    ),
  pool: z
    .array(z.string())
    .exactOptional()
    .describe('items that the places could go to; absent where they could go to no others'),
  history: z.array(pastEvent).describe('events that the scores follow from, oldest first'),
  adapter: z.string().exactOptional(),
  behaviour: z.string().exactOptional(),
  fallbackReason: z.enum(FALLBACK_REASONS).exactOptional(),
  variant: variantOf.exactOptional().describe('where there is an experiment, and the user is in it'),
  reranked: z.literal(true).exactOptional().describe('caps or diversity had a part in it'),
};
