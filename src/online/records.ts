import { z } from 'zod';
import { RecsysError } from '../errors.js';
import { checkpointRecord } from './checkpoints/record.js';
import { pauseRecord, resumeRecord, rollbackRecord } from './guard/controls.js';
import { erasedRecord, eraseRecord } from './privacy/erasure-records.js';

/** A validated event as the journal holds it. */
export const journalledEvent = z.object({
  id: z.string(),
  user: z.string(),
  item: z.string(),
  behaviour: z.string(),
  time: z.number(),
  value: z.number().exactOptional(),
  requestId: z.string().exactOptional(),
  shown: z.array(z.string()).readonly().exactOptional(),
  context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).exactOptional(),
});
/** What became of the events up to number `through` that no outcome before it speaks of: learned, unless skipped for a reason. */
export const outcomeRecord = z.object({
  type: z.literal('outcome'),
  through: z.number().int(),
  skipped: z.record(z.string(), z.array(z.number().int())).exactOptional(),
});
export type OutcomeRecord = Readonly<z.output<typeof outcomeRecord>>;

/** Stands for a record that a repair could not save. */
export const lostRecord = z.object({ type: z.literal('lost') });

export const recordSchema = z.discriminatedUnion('type', [
  journalledEvent.extend({ type: z.literal('event') }),
  z.object({ type: z.literal('learn'), through: z.number().int() }),
  outcomeRecord,
  pauseRecord,
  resumeRecord,
  rollbackRecord,
  checkpointRecord,
  eraseRecord,
  erasedRecord,
  lostRecord,
]);

/**
 * What the journal holds. The service's state is a function of the base checkpoint and these records, in order: events
 * change histories and popularity at once; `learn` says which waiting events went into one update, and `outcome` what that made of them; `pause`, `resume` and
 * `rollback` come between two updates, and so do `checkpoint`, from which on another one is served, and `erase`, before which the events of a user became `erased`. `lost`
 * stands for a record that a repair of the journal could not save, so that those after it keep their numbers.
 */
export type JournalRecord = Readonly<z.output<typeof recordSchema>>;

/** A record read back. Unknown types come from a newer recsys: replaying without them would give another state. */
export function parseRecord(seq: number, record: unknown): JournalRecord {
  if (isCommon(record)) return record;
  const parsed = recordSchema.safeParse(record);
  if (parsed.success) return parsed.data;
  throw new RecsysError('JOURNAL_DAMAGED', `journal record ${seq} is not one this version knows`, {
    remedy: 'Serve this state directory with the recsys version that wrote it.',
  });
}

/** Whether a record is one of those that nearly all are, and as `recordSchema` would leave it. False says nothing: the schema decides. */
export function isCommon(record: unknown): record is JournalRecord {
  if (typeof record !== 'object' || record === null) return false;
  const one = record as Readonly<Record<string, unknown>>;
  const counted = one.type === 'learn' || one.type === 'outcome';
  if (!counted && one.type !== 'event') return false;
  let fields = 0;
  for (const name in one) {
    const value = one[name];
    fields++;
    const fits =
      name === 'type' ||
      (counted ? name === 'through' && Number.isSafeInteger(value) : fitsEvent(name, value));
    if (!fits) return false;
  }
  if (counted) return fields === 2;
  return 'id' in one && 'user' in one && 'item' in one && 'behaviour' in one && 'time' in one;
}

function fitsEvent(name: string, value: unknown): boolean {
  switch (name) {
    case 'id':
    case 'user':
    case 'item':
    case 'behaviour':
    case 'requestId':
      return typeof value === 'string';
    case 'time':
    case 'value':
      return Number.isFinite(value);
    default:
      return false;
  }
}
