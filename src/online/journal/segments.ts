import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { systemCode } from '../../storage/disk.js';
import { decodeFrame, type Frame, findFrame } from '../frame.js';
import { type JournalFiles, writeWhole } from './files.js';

/**
 * The files of a journal: `journal.json`, which names it, and segments, each named by the number of its first record. There is no list of
 * segments but the directory itself: no crash can make the two differ.
 */
export interface Segment {
  readonly file: string;
  readonly firstSeq: number;
}

/** What a segment holds. */
export interface Contents {
  readonly frames: readonly (Frame & { readonly offset: number })[];
  /** Number of the last whole record; `firstSeq - 1` where there is none. */
  readonly lastSeq: number;
  /** Where the whole frames end. */
  readonly end: number;
  /** Where the last of them begins before which all was on the disk; what is from here on may not be. */
  readonly firm: number;
  /** What follows them: bytes that a write left unfinished. */
  readonly torn: Buffer | undefined;
}

/** Where a journal is not what was written. */
export interface Damage {
  readonly file: string;
  readonly offset: number;
  /** What is wrong there: a verb and what follows it. */
  readonly what: string;
}

const SEGMENT_NAME = /^journal-(\d{12})\.log$/;

/** The segments of a journal, oldest first. */
export async function listSegments(files: JournalFiles, directory: string): Promise<Segment[]> {
  const names = (await files.list(directory)).filter((name) => SEGMENT_NAME.test(name)).sort();
  return names.map((name) => newSegment(directory, Number(SEGMENT_NAME.exec(name)![1])));
}

export function newSegment(directory: string, firstSeq: number): Segment {
  return { file: join(directory, `journal-${String(firstSeq).padStart(12, '0')}.log`), firstSeq };
}

/**
 * Reads a segment: frames whole, numbers without a gap. Only the last one may end in what a write left unfinished, and that is followed by
 * no frame that was written when all before it was on the disk.
 *
 * @param expected number of the record that it should begin with
 * @returns its contents, or what is damaged in it
 */
export function examine(
  bytes: Buffer,
  { file, firstSeq }: Segment,
  expected: number,
  isLast: boolean,
): Contents | Damage {
  const frames: (Frame & { offset: number })[] = [];
  if (firstSeq !== expected)
    return { file, offset: 0, what: `begins with record ${firstSeq}, expected ${expected}` };
  let offset = 0;
  let firm = 0;
  let seq = firstSeq - 1;
  while (offset < bytes.length) {
    const frame = decodeFrame(bytes, offset);
    if (typeof frame === 'string') {
      if (!isLast) return { file, offset, what: `is ${frame}` };
      const next = firmFrame(bytes, offset + 1);
      if (next >= 0) return { file, offset, what: `is damaged, and whole records follow at offset ${next}` };
      return { frames, lastSeq: seq, end: offset, firm, torn: bytes.subarray(offset) };
    }
    if (frame.firstSeq !== seq + 1)
      return { file, offset, what: `holds record ${frame.firstSeq}, expected ${seq + 1}` };
    frames.push({ ...frame, offset });
    if (frame.firm) firm = offset;
    seq += frame.count;
    offset = frame.end;
  }
  return { frames, lastSeq: seq, end: offset, firm, torn: undefined };
}

function firmFrame(bytes: Buffer, from: number): number {
  for (let at = findFrame(bytes, from); at >= 0; at = findFrame(bytes, at + 1)) {
    const frame = decodeFrame(bytes, at);
    if (typeof frame === 'object' && frame.firm) return at;
  }
  return -1;
}

export function damaged({ file, offset, what }: Damage, options?: { readonly remedy: string }): RecsysError {
  return new RecsysError('JOURNAL_DAMAGED', `${file}: the journal at offset ${offset} ${what}`, options);
}

const headerSchema = z.object({ kind: z.literal('journal'), formatVersion: z.literal(1), id: z.string() });
const headerFile = (directory: string): string => join(directory, 'journal.json');

/** The name of the journal in a directory: undefined where there is no journal yet. */
export async function readHeader(
  files: JournalFiles,
  directory: string,
): Promise<string | Damage | undefined> {
  const file = headerFile(directory);
  const text = await files.read(file).then(
    (bytes) => bytes.toString('utf8'),
    (error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    },
  );
  // A crash while a journal was begun leaves no header or, of older versions, an empty one; no record stood in it yet.
  if (text === undefined || text === '') {
    if ((await listSegments(files, directory)).length === 0) return undefined;
    return { file, offset: 0, what: `is ${text === '' ? 'empty' : 'missing'} beside its segments` };
  }
  const header = headerSchema.safeParse(parseJson(text));
  if (header.success) return header.data.id;
  return { file, offset: 0, what: 'is not the header of a journal of format version 1' };
}

/** Gives a new journal its name. */
export async function writeHeader(files: JournalFiles, directory: string): Promise<string> {
  const header = { kind: 'journal', formatVersion: 1, id: randomUUID() };
  await writeWhole(files, headerFile(directory), Buffer.from(`${JSON.stringify(header)}\n`));
  await files.syncDirectory(directory);
  return header.id;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
