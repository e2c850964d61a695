import { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { OnlineEvent } from './events.js';

/**
 * What the journal holds. The service's state is a function of the base checkpoint and these records, in order: events
 * change histories and popularity at once; `learn` says which waiting events went into one update. `lost` stands for a record that a repair
 * of the journal could not save, so that those after it keep their numbers.
 */
export type JournalRecord =
  | ({ readonly type: 'event' } & OnlineEvent)
  | { readonly type: 'learn'; readonly through: number }
  | { readonly type: 'lost' };

const recordSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('event'),
    id: z.string(),
    user: z.string(),
    item: z.string(),
    behaviour: z.string(),
    time: z.number(),
    value: z.number().optional(),
    context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
  }),
  z.object({ type: z.literal('learn'), through: z.number().int() }),
  z.object({ type: z.literal('lost') }),
]);

/** A record read back. Unknown types come from a newer recsys: replaying without them would give another state. */
export function parseRecord(seq: number, record: unknown): JournalRecord {
  const parsed = recordSchema.safeParse(record);
  if (parsed.success) return parsed.data as JournalRecord;
  throw new RecsysError('JOURNAL_DAMAGED', `journal record ${seq} is not one this version knows`, {
    remedy: 'Serve this state directory with the recsys version that wrote it.',
  });
}
