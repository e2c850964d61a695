import { join } from 'node:path';
import { Journal } from '../../src/online/journal.js';
import { Random } from '../../src/random.js';
import type { Population } from './phases.js';

/** Appends events as a service leaves them: in groups of `batch`, each learned in one update. */
export async function appendLearned(
  journal: Journal,
  { events, batch }: { readonly events: number; readonly batch: number },
  eventOf: (n: number) => object,
): Promise<void> {
  for (let n = 0; n < events; n += batch) {
    const group = Array.from({ length: Math.min(batch, events - n) }, (_, i) => eventOf(n + i));
    const first = await journal.append(group);
    const through = first + group.length - 1;
    await journal.append([
      { type: 'learn', through },
      { type: 'outcome', through },
    ]);
  }
}

/** A journal of made-up events. */
export async function writeJournal(
  state: string,
  { users, items }: Population,
  size: { readonly events: number; readonly batch: number },
): Promise<void> {
  const random = Random.of(3, 'journal');
  const journal = await Journal.open(join(state, 'journal'), {
    segmentBytes: 64 * 1024 * 1024,
    durability: 'none',
  });
  await appendLearned(journal, size, (n) => ({
    type: 'event',
    id: `journal-${n}`,
    user: `p${random.int(users)}`,
    item: `i${1 + Math.floor(random.uniform() ** 2 * items)}`,
    behaviour: 'view',
    time: 1_700_000_000_000 + n,
  }));
  await journal.close();
}
