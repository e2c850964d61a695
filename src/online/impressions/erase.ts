import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { kindOf } from '../../storage/disk.js';
import { DISK, type JournalFiles } from '../journal/files.js';
import { rewriteRecords } from '../journal/rewrite.js';
import type { Segment } from '../journal/segments.js';
import { Journal } from '../journal.js';

/** A log of lists that is being written. */
export interface LiveLists {
  /** Takes a user's lists out. @returns how many there were */
  erase(user: string): Promise<number>;
  /** Runs work while no segment is deleted or rewritten. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
}

/** Makes a user's lists in closed segments `erased` records. @returns how many */
export async function eraseUserLists(
  files: JournalFiles,
  directory: string,
  segments: readonly Segment[],
  user: string,
): Promise<number> {
  let lists = 0;
  await rewriteRecords(files, directory, segments, `"user":${JSON.stringify(user)}`, (_, raw) => {
    const record = raw as { readonly type?: unknown; readonly user?: unknown };
    if (record.type !== 'impression' || record.user !== user) return raw;
    lists++;
    return { type: 'erased' };
  });
  return lists;
}

/**
 * Takes a user's lists out of a log of impressions, be it written at the time or not, and deletes damaged ones that were kept aside and mention the user.
 * @returns how many lists were in the log
 */
export async function eraseLists(directory: string, user: string, live?: LiveLists): Promise<number> {
  await removeDamaged(directory, user);
  if (live) return live.erase(user);
  if ((await kindOf(directory)) !== 'directory') return 0;
  const journal = await Journal.open(directory, { segmentBytes: Number.MAX_SAFE_INTEGER });
  try {
    return await eraseUserLists(DISK, directory, await journal.seal(), user);
  } finally {
    await journal.close();
  }
}

async function removeDamaged(directory: string, user: string): Promise<void> {
  const parent = dirname(directory);
  const text = JSON.stringify(user).slice(1, -1);
  for (const name of await readdir(parent)) {
    if (!name.startsWith(`${basename(directory)}.damaged-`)) continue;
    const aside = join(parent, name);
    const files = await readdir(aside);
    const held = await Promise.all(
      files.map(async (file) => (await DISK.read(join(aside, file))).includes(text)),
    );
    if (held.includes(true)) await rm(aside, { recursive: true, force: true });
  }
}
