import { basename } from 'node:path';
import { DISK, type JournalFile, type JournalFiles } from '../journal/files.js';
import type { Segment } from '../journal/segments.js';

const nothing = async (): Promise<void> => undefined;
const UNWRITTEN: JournalFile = { write: nothing, truncate: nothing, sync: nothing, close: nothing };

/** A journal's files as a second service reads them while the first one writes: closed segments alone, and nothing that it does reaches the disk. */
export function sealedFiles(segments: readonly Segment[]): JournalFiles {
  const names = segments.map(({ file }) => basename(file));
  return {
    list: async () => names,
    read: DISK.read,
    times: DISK.times,
    open: async () => UNWRITTEN,
    rename: nothing,
    remove: nothing,
    makeDirectory: nothing,
    syncDirectory: nothing,
    setChanged: nothing,
  };
}
