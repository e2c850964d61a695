import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from './atomic.js';
import { diskError, systemCode } from './disk.js';
import { sha256File } from './hash.js';

/**
 * Many records of one size in one file, for what is computed once and read often: `records.bin`, and `records.json` with
 * what it was made of (`key`) and its SHA-256. Nothing is lost with it: whoever finds it missing or damaged makes it anew.
 */
const VERSION = 1;
const manifestSchema = z.object({
  version: z.literal(VERSION),
  key: z.string(),
  recordBytes: z.number(),
  bytes: z.number(),
  sha256: z.string(),
});

const FILE = 'records.bin';
const MANIFEST = 'records.json';

/** Puts the record numbered `index` in place; any order, each once. */
export type PutRecord = (index: number, record: Uint8Array) => void;

/** Whether `dir` holds whole records of this key: 'ready', 'missing' (none, or of another key), or what is damaged. */
export async function inspectRecords(
  dir: string,
  key: string,
): Promise<'ready' | 'missing' | { damaged: string }> {
  let text: string;
  try {
    text = await readFile(join(dir, MANIFEST), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'missing';
    throw error;
  }
  const manifest = manifestSchema.safeParse(parsed(text));
  if (!manifest.success) return { damaged: `${join(dir, MANIFEST)} is not one of recsys` };
  if (manifest.data.key !== key) return 'missing';
  const path = join(dir, FILE);
  const size = await stat(path).then(
    (s) => s.size,
    () => -1,
  );
  if (size < 0) return { damaged: `${path} is missing` };
  if (size !== manifest.data.bytes)
    return { damaged: `${path} has ${size} bytes, its manifest records ${manifest.data.bytes}` };
  if ((await sha256File(path)) !== manifest.data.sha256)
    return { damaged: `${path} was altered: its SHA-256 is not the one its manifest records` };
  return 'ready';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Writes the records of `dir` anew. Killed at any moment it leaves what `inspectRecords` calls missing.
 * @throws DISK
 */
export async function writeRecords(
  dir: string,
  key: string,
  recordBytes: number,
  work: (put: PutRecord) => Promise<void>,
): Promise<void> {
  const path = join(dir, FILE);
  const temporary = `${path}.tmp`;
  try {
    await mkdir(dir, { recursive: true });
    await rm(join(dir, MANIFEST), { force: true });
    const file = openSync(temporary, 'w');
    let end = 0;
    try {
      // A record is a few hundred bytes: waiting for each would take longer than writing it.
      await work((index, record) => {
        writeSync(file, record, 0, recordBytes, index * recordBytes);
        end = Math.max(end, (index + 1) * recordBytes);
      });
      ftruncateSync(file, end);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    await rename(temporary, path);
    const manifest = { version: VERSION, key, recordBytes, bytes: end, sha256: await sha256File(path) };
    await writeFileAtomic(join(dir, MANIFEST), `${JSON.stringify(manifest)}\n`);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw diskError(error, path);
  }
}

/** Reads runs of records; the operating system keeps in memory what there is room for. */
export interface RecordReader {
  /** `count` records from `first` on, as one piece of memory that is good until the next call. */
  read(first: number, count: number): Uint8Array;
  close(): void;
}

/** Opens records that `inspectRecords` found ready. */
export function openRecords(dir: string, recordBytes: number): RecordReader {
  const file = openSync(join(dir, FILE), 'r');
  let memory = new Uint8Array(0);
  return {
    read(first, count) {
      const bytes = count * recordBytes;
      if (memory.byteLength < bytes) memory = new Uint8Array(bytes);
      const found = readSync(file, memory, 0, bytes, first * recordBytes);
      if (found !== bytes) throw new Error(`${dir}: records ${first} to ${first + count - 1} are not there`);
      return memory.subarray(0, bytes);
    },
    close: () => closeSync(file),
  };
}
