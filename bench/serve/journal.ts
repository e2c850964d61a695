import { join } from 'node:path';
import { Journal } from '../../src/online/journal.js';
import { Random } from '../../src/random.js';
import type { Population } from './phases.js';

/** A journal as a service leaves it: events in groups, each group learned in updates of `batch` events. */
export async function writeJournal(
  state: string,
  { users, items }: Population,
  { events, batch }: { readonly events: number; readonly batch: number },
): Promise<void> {
  const random = Random.of(3, 'journal');
  const journal = await Journal.open(join(state, 'journal'), {
    segmentBytes: 64 * 1024 * 1024,
    durability: 'none',
  });
  for (let n = 0; n < events; n += batch) {
    const group = Array.from({ length: Math.min(batch, events - n) }, (_, i) => ({
      type: 'event',
      id: `journal-${n + i}`,
      user: `p${random.int(users)}`,
      item: `i${1 + Math.floor(random.uniform() ** 2 * items)}`,
      behaviour: 'view',
      time: 1_700_000_000_000 + n + i,
    }));
    const first = await journal.append(group);
    const through = first + group.length - 1;
    await journal.append([
      { type: 'learn', through },
      { type: 'outcome', through },
    ]);
  }
  await journal.close();
}
