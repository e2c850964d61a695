import { decodeFrame, type Frame, findFrame, frameRecords } from '../frame.js';
import { DISK, type JournalFiles } from './files.js';
import type { CutTail } from './options.js';
import { type Damage, damaged, examine, listSegments, readHeader, type Segment } from './segments.js';

/** What stands in one segment. */
export interface SegmentReport extends Segment {
  /** Number of the last whole record; `firstSeq - 1` where there is none. */
  readonly lastSeq: number;
  readonly bytes: number;
  /** Whole records. */
  readonly records: number;
  readonly damage: Damage | undefined;
}

/** What stands in a journal. */
export interface JournalReport {
  readonly segments: readonly SegmentReport[];
  readonly records: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** What refuses to be opened, of the header and of each segment the first place. */
  readonly damage: readonly Damage[];
  /** An unfinished write at the end, which the next start cuts off, and the whole records in it (none with `durability: always`). */
  readonly unfinished: (CutTail & { readonly records: number }) | undefined;
}

/** Reads all of a journal and changes nothing. A service may write to it meanwhile: its last write may then seem unfinished. */
export async function checkJournal(directory: string, files: JournalFiles = DISK): Promise<JournalReport> {
  const header = await readHeader(files, directory);
  const segments: SegmentReport[] = [];
  const found = await listSegments(files, directory);
  let unfinished: JournalReport['unfinished'];
  for (const [i, segment] of found.entries()) {
    const bytes = await files.read(segment.file);
    const whole = surveyed(bytes, segment.firstSeq);
    const records = whole.reduce((sum, { count }) => sum + count, 0);
    const expected = segments.at(-1)?.lastSeq ?? segment.firstSeq - 1;
    const contents = examine(bytes, segment, expected + 1, i === found.length - 1);
    const damage = 'what' in contents ? contents : undefined;
    const last = whole.at(-1);
    const lastSeq = last ? last.firstSeq + last.count - 1 : segment.firstSeq - 1;
    if ('torn' in contents && contents.torn) {
      const kept = contents.lastSeq - segment.firstSeq + 1;
      const { end: offset, torn } = contents;
      unfinished = { file: segment.file, offset, bytes: torn.length, records: records - kept };
      segments.push({ ...segment, lastSeq: contents.lastSeq, bytes: bytes.length, records: kept, damage });
    } else segments.push({ ...segment, lastSeq, bytes: bytes.length, records, damage });
  }
  const damage = segments.flatMap((one) => (one.damage ? [one.damage] : []));
  return {
    segments,
    records: segments.reduce((sum, { records }) => sum + records, 0),
    firstSeq: segments[0]?.firstSeq ?? 1,
    lastSeq: segments.at(-1)?.lastSeq ?? 0,
    damage: typeof header === 'object' ? [header, ...damage] : damage,
    unfinished,
  };
}

/** Every whole frame of a segment in the order of their numbers, whatever stands between them. */
export function surveyed(bytes: Buffer, firstSeq: number): (Frame & { readonly offset: number })[] {
  const frames: (Frame & { offset: number })[] = [];
  let seq = firstSeq - 1;
  for (let at = findFrame(bytes, 0); at >= 0; ) {
    const frame = decodeFrame(bytes, at);
    if (typeof frame === 'string') at = findFrame(bytes, at + 1);
    else {
      if (frame.firstSeq > seq) {
        frames.push({ ...frame, offset: at });
        seq = frame.firstSeq + frame.count - 1;
      }
      at = frame.end < bytes.length ? frame.end : -1;
    }
  }
  return frames;
}

/**
 * The records of a journal that nobody needs to have open, in order.
 * @throws RecsysError JOURNAL_DAMAGED
 */
export async function* journalRecords(
  directory: string,
  files: JournalFiles = DISK,
): AsyncGenerator<{ readonly seq: number; readonly record: unknown }> {
  const header = await readHeader(files, directory);
  if (typeof header === 'object') throw damaged(header);
  const segments = await listSegments(files, directory);
  let expected = segments[0]?.firstSeq ?? 1;
  for (const [i, segment] of segments.entries()) {
    const bytes = await files.read(segment.file);
    const contents = examine(bytes, segment, expected, i === segments.length - 1);
    if ('what' in contents) throw damaged(contents);
    for (const frame of contents.frames) {
      let seq = frame.firstSeq;
      for (const record of frameRecords(frame)) yield { seq: seq++, record };
    }
    expected = contents.lastSeq + 1;
  }
}
