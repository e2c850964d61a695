import { encodeFrame } from '../frame.js';
import { Journal } from '../journal.js';
import { checkJournal, surveyed } from './check.js';
import { DISK, type JournalFiles, writeWhole } from './files.js';
import type { CutTail } from './options.js';
import { damaged, examine, listSegments, readHeader, writeHeader } from './segments.js';

/** A segment that was written anew without what was damaged. */
export interface Rewritten {
  readonly file: string;
  /** Where the segment is kept as it was. */
  readonly aside: string;
  /** Records saved, and records that are lost. */
  readonly kept: number;
  readonly lost: number;
}

export interface Repair {
  /** An unfinished write at the end that was cut off. */
  readonly cut: CutTail | undefined;
  readonly rewritten: readonly Rewritten[];
}

/** Lost records that one frame stands for, at most. */
const LOST_FRAME = 100_000;

/**
 * Makes a journal one that can be opened. An unfinished write at the end is cut off, and kept beside its segment.
 *
 * @param setAside with it, a damaged segment is kept as `<segment>.damaged-<offset>` and written anew with every whole record; what is missing
 * between them becomes `lost` records, so that all others keep their numbers
 * @throws RecsysError JOURNAL_DAMAGED where something is damaged and `setAside` is false, or where numbers overlap · DISK
 */
export async function repairJournal(
  directory: string,
  setAside: boolean,
  files: JournalFiles = DISK,
): Promise<Repair> {
  const [first] = (await checkJournal(directory, files)).damage;
  if (first && !setAside)
    throw damaged(first, {
      remedy:
        'Restore the state directory from a copy, or repair it with --set-aside: every whole record is kept, the others are lost.',
    });
  const rewritten = first ? await rewriteDamaged(directory, files) : [];
  const journal = await Journal.open(directory, { segmentBytes: Number.MAX_SAFE_INTEGER, files });
  await journal.close();
  return { cut: journal.cut, rewritten };
}

async function rewriteDamaged(directory: string, files: JournalFiles): Promise<Rewritten[]> {
  const header = await readHeader(files, directory);
  if (typeof header === 'object') {
    const bytes = await files.read(header.file).catch(() => undefined);
    if (bytes) await writeWhole(files, `${header.file}.damaged`, bytes);
    await writeHeader(files, directory);
  }
  const rewritten: Rewritten[] = [];
  const segments = await listSegments(files, directory);
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1]?.firstSeq;
    const bytes = await files.read(segment.file);
    const contents = examine(bytes, segment, segment.firstSeq, next === undefined);
    const isDamaged = 'what' in contents;
    if (!isDamaged && (next === undefined || contents.lastSeq + 1 >= next)) continue;
    const { pieces, kept, lost } = saved(bytes, segment.firstSeq, next);
    const aside = `${segment.file}.damaged-${isDamaged ? contents.offset : bytes.length}`;
    await writeWhole(files, aside, bytes);
    await files.syncDirectory(directory);
    await writeWhole(files, segment.file, Buffer.concat(pieces));
    await files.syncDirectory(directory);
    rewritten.push({ file: segment.file, aside, kept, lost });
  }
  return rewritten;
}

/** The whole frames of a segment, with frames of `lost` records for those that are missing between them and before record `next`. */
function saved(bytes: Buffer, firstSeq: number, next: number | undefined) {
  const pieces: Buffer[] = [];
  let seq = firstSeq - 1;
  let lost = 0;
  const lose = (through: number): void => {
    while (seq < through) {
      const count = Math.min(LOST_FRAME, through - seq);
      pieces.push(encodeFrame(seq + 1, new Array(count).fill({ type: 'lost' })));
      seq += count;
      lost += count;
    }
  };
  for (const frame of surveyed(bytes, firstSeq)) {
    lose(frame.firstSeq - 1);
    pieces.push(bytes.subarray(frame.offset, frame.end));
    seq += frame.count;
  }
  if (next !== undefined) lose(next - 1);
  return { pieces, kept: seq - firstSeq + 1 - lost, lost };
}
