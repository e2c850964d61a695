import { z } from 'zod';
import { impressionFields } from '../../protocol/impressions.js';
import { erasedRecord } from '../privacy/erasure-records.js';
import { lostRecord } from '../records.js';

export type { PastEvent } from '../../protocol/impressions.js';

/** A list as it was served, and to whom. */
export const impressionRecord = z.object({
  type: z.literal('impression'),
  user: z.string().exactOptional(),
  ...impressionFields,
});
export type Impression = Readonly<z.output<typeof impressionRecord>>;

/** What the log of impressions holds: lists, and what stands for those that were erased, or lost before a repair. */
export const loggedRecord = z.discriminatedUnion('type', [impressionRecord, erasedRecord, lostRecord]);
