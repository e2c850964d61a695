import { encodeFrame, type Frame, frameRecords } from '../frame.js';
import { type JournalFiles, writeWhole } from './files.js';
import { type Contents, damaged, examine, type Segment } from './segments.js';

/** The frames of the bytes of a segment that nobody writes to any more. @throws RecsysError JOURNAL_DAMAGED */
function framesOf(bytes: Buffer, segment: Segment): Contents['frames'] {
  const contents = examine(bytes, segment, segment.firstSeq, false);
  if ('what' in contents) throw damaged(contents);
  return contents.frames;
}

function* numbered({ firstSeq }: Frame, records: readonly unknown[]): Generator<[number, unknown]> {
  for (const [i, record] of records.entries()) yield [firstSeq + i, record];
}

/**
 * Writes closed segments anew where a record becomes another. Each is whole at any moment, with the old records or the new; all keep
 * their numbers. Frames in which `mention` does not stand are taken over as they are.
 * @param replaced the record to stand in a record's place: itself where nothing changes
 */
export async function rewriteRecords(
  files: JournalFiles,
  directory: string,
  segments: readonly Segment[],
  mention: string,
  replaced: (seq: number, record: unknown) => unknown,
): Promise<void> {
  for (const segment of segments) {
    const bytes = await files.read(segment.file);
    let changed = false;
    const pieces = framesOf(bytes, segment).map((frame) => {
      const { firstSeq, firm, payload, offset, end } = frame;
      const asItIs = bytes.subarray(offset, end);
      if (!payload.includes(mention)) return asItIs;
      const records = frameRecords(frame);
      const now = [...numbered(frame, records)].map(([seq, record]) => replaced(seq, record));
      if (now.every((record, i) => record === records[i])) return asItIs;
      changed = true;
      return encodeFrame(firstSeq, now, firm);
    });
    if (!changed) continue;
    // Records are as old as they were: the retention counts by that.
    const { changed: written } = await files.times(segment.file);
    await writeWhole(files, segment.file, Buffer.concat(pieces), written);
    await files.syncDirectory(directory);
  }
}

/** The records of closed segments, of frames in which `mention` stands, with their numbers. */
export async function* recordsMentioning(
  files: JournalFiles,
  segments: readonly Segment[],
  mention: string,
): AsyncGenerator<[number, unknown]> {
  for (const segment of segments)
    for (const frame of framesOf(await files.read(segment.file), segment))
      if (frame.payload.includes(mention)) yield* numbered(frame, frameRecords(frame));
}
