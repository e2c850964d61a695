import { kindOf } from '../../storage/disk.js';
import { journalRecords } from '../journal/check.js';
import { impressionRecord } from './record.js';

/** A list as its user is told of it. */
export interface KnownList {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly items: string[];
}

/**
 * The newest lists of a user in a log of impressions, at most `limit`, oldest first; and how many there are.
 * @throws RecsysError JOURNAL_DAMAGED
 */
export async function listsOf(
  directory: string,
  user: string,
  limit: number,
): Promise<{ readonly lists: KnownList[]; readonly listsServed: number }> {
  const lists: KnownList[] = [];
  let listsServed = 0;
  if ((await kindOf(directory)) !== 'directory') return { lists, listsServed };
  for await (const { record } of journalRecords(directory)) {
    const found = impressionRecord.safeParse(record);
    if (!found.success || found.data.user !== user) continue;
    const { requestId, time, items } = found.data;
    listsServed++;
    lists.push({ requestId, time, items: items.map(({ item }) => item) });
    if (lists.length > limit) lists.shift();
  }
  return { lists, listsServed };
}
