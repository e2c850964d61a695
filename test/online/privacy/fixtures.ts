import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OnlineEvent } from '../../../src/online/events.js';
import { ImpressionLog } from '../../../src/online/impressions/log.js';
import { loggedRecord } from '../../../src/online/impressions/record.js';
import { journalRecords } from '../../../src/online/journal/check.js';
import { retentionSchema } from '../../../src/online/schema.js';
import { impressionsPath } from '../../../src/online/state-directory.js';
import { listFiles, systemCode } from '../../../src/storage/disk.js';
import type { StageContext } from '../../../src/types.js';
import { NOW } from '../fixtures.js';

/** An id that stands nowhere by chance. */
export const ANN = 'ann-f81d4fae';

/** Files below a directory in whose bytes or names a text stands. */
export async function filesWith(dir: string, text: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for (const file of await listFiles(dir)) {
      const bytes = await readFile(join(dir, file));
      if (file.includes(text) || bytes.includes(text)) found.push(file);
    }
  } catch (error) {
    // A snapshot took its place meanwhile.
    if (systemCode(error) === 'ENOENT') return filesWith(dir, text);
    throw error;
  }
  return found;
}

/** An event whose id names its user, as careless clients make them. */
export const eventOf = (user: string, n: number, item = ((n * 11) % 40) + 1): OnlineEvent => ({
  id: `${user}/${n}`,
  user,
  item: `i${item}`,
  behaviour: 'view',
  time: NOW + n,
});

/** The log of impressions of a state directory; to be closed. */
export const logOf = (state: string, log: StageContext['log'] = () => undefined): Promise<ImpressionLog> =>
  ImpressionLog.open(impressionsPath(state), {
    durability: 'always',
    syncInterval: 100,
    retention: retentionSchema.parse({}),
    log,
  });

/** What stands in a log of impressions: of whom each list is, or what stands in its place. */
export async function loggedIn(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { record } of journalRecords(directory)) {
    const one = loggedRecord.parse(record);
    found.push(one.type === 'impression' ? (one.user ?? 'nobody') : one.type);
  }
  return found;
}
