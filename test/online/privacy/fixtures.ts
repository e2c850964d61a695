import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OnlineEvent } from '../../../src/online/events.js';
import { listFiles } from '../../../src/storage/disk.js';
import { NOW } from '../fixtures.js';

/** An id that stands nowhere by chance. */
export const ANN = 'ann-f81d4fae';

/** Files below a directory in whose bytes or names a text stands. */
export async function filesWith(dir: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const file of await listFiles(dir)) {
    const bytes = await readFile(join(dir, file));
    if (file.includes(text) || bytes.includes(text)) found.push(file);
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
