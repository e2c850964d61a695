import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { RecsysError } from '../../errors.js';
import { sync } from '../../storage/disk.js';

/** A file open for writing. What is written is safe from a power cut once `sync` has resolved, and not before. */
export interface JournalFile {
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(bytes: number): Promise<void>;
  /** Forces content and length to the disk (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The files under a journal. All that the journal does to a disk goes through here, so that tests can put a disk in its place
 * that is full, or that loses what was not synced.
 */
export interface JournalFiles {
  /** Names in a directory, in no order. */
  list(directory: string): Promise<string[]>;
  read(path: string): Promise<Buffer>;
  /** Opens a file as it is, or an empty one. */
  open(path: string): Promise<JournalFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** Forces the names in a directory to the disk. */
  syncDirectory(path: string): Promise<void>;
  /** When a file was begun and last written, milliseconds since the epoch. */
  times(path: string): Promise<{ readonly begun: number; readonly changed: number }>;
  /** Makes a file one that was last written then. */
  setChanged(path: string, time: number): Promise<void>;
}

/** The disk of this machine. */
export const DISK: JournalFiles = {
  list: (directory) => readdir(directory),
  read: (path) => readFile(path),
  async open(path) {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
    return {
      async write(bytes, position) {
        for (let done = 0; done < bytes.length; ) {
          const left = bytes.length - done;
          done += (await handle.write(bytes, done, left, position + done)).bytesWritten;
        }
      },
      truncate: (bytes) => handle.truncate(bytes),
      sync: () => handle.datasync(),
      close: () => handle.close(),
    };
  },
  rename,
  remove: unlink,
  async makeDirectory(path) {
    await mkdir(path, { recursive: true });
  },
  syncDirectory: sync,
  async times(path) {
    const { birthtimeMs, mtimeMs } = await stat(path);
    // Some file systems know no time of birth and give 0.
    return { begun: birthtimeMs > 0 ? birthtimeMs : mtimeMs, changed: mtimeMs };
  },
  setChanged: (path, time) => utimes(path, time / 1000, time / 1000),
};

/**
 * Writes a file whole or not at all, and durably.
 * @param changed when it is to have been written last; absent: now
 */
export async function writeWhole(
  files: JournalFiles,
  path: string,
  bytes: Uint8Array,
  changed?: number,
): Promise<void> {
  const draft = `${path}.tmp`;
  const file = await files.open(draft);
  try {
    await file.truncate(0);
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  if (changed !== undefined) await files.setChanged(draft, changed);
  await files.rename(draft, path);
}

/** Work on files of a directory, whose errors are the disk's. @throws RecsysError DISK */
export async function disk<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RecsysError || !(error instanceof Error)) throw error;
    throw new RecsysError('DISK', `${directory}: ${error.message}`, { cause: error });
  }
}
