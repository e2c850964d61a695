import { journalRecords } from '../journal/check.js';
import { parseRecord } from '../records.js';

/** An event that came of a list. */
export interface Outcome {
  readonly item: string;
  readonly behaviour: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly value?: number;
}

/**
 * The events of a journal that name the list they came of, by its request id, in the journal's order.
 * @throws RecsysError JOURNAL_DAMAGED
 */
export async function outcomesByRequest(journal: string): Promise<Map<string, Outcome[]>> {
  const outcomes = new Map<string, Outcome[]>();
  for await (const { seq, record: raw } of journalRecords(journal)) {
    const record = parseRecord(seq, raw);
    if (record.type !== 'event' || record.requestId === undefined) continue;
    const { requestId, item, behaviour, time, value } = record;
    const own = outcomes.get(requestId) ?? [];
    own.push({ item, behaviour, time, ...(value === undefined ? {} : { value }) });
    outcomes.set(requestId, own);
  }
  return outcomes;
}
