import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import { decodeFrame, encodeFrame, findFrame, frameRecords } from './frame.js';

/**
 * The event journal: an append-only log of JSON records in segment files, numbered from 1.
 *
 * An append is acknowledged when its bytes are on the disk (fdatasync); appends that arrive meanwhile share the next
 * write (group commit). Each group is one frame, and a frame is written only after the one before it is synced: so a
 * torn write can only be the last frame, and a whole frame after a damaged one means that the file was altered.
 */
export interface JournalOptions {
  /** A new segment is begun when the current one is this large. */
  readonly segmentBytes: number;
  /** Called in order for every group that is on the disk, before its appends are acknowledged. */
  readonly committed?: (firstSeq: number, records: readonly unknown[]) => void;
}

/** A torn tail that `open` cut off. */
export interface CutTail {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

interface Segment {
  readonly file: string;
  readonly firstSeq: number;
}

interface Waiting {
  readonly records: readonly unknown[];
  readonly resolve: (firstSeq: number) => void;
  readonly reject: (error: unknown) => void;
}

const headerSchema = z.object({ kind: z.literal('journal'), formatVersion: z.literal(1), id: z.string() });
const SEGMENT_NAME = /^journal-(\d{12})\.log$/;

export class Journal {
  /** Names this journal; a checkpoint remembers it beside its position. */
  readonly id: string;
  /** What opening cut off, if anything. */
  readonly cut: CutTail | undefined;
  private readonly waiting: Waiting[] = [];
  private writing: Promise<void> | undefined;
  private closed = false;
  private torn = false;

  private constructor(
    private readonly directory: string,
    private readonly options: JournalOptions,
    private readonly segments: Segment[],
    private handle: FileHandle,
    private bytes: number,
    private last: number,
    id: string,
    cut: CutTail | undefined,
  ) {
    this.id = id;
    this.cut = cut;
  }

  /**
   * Opens the journal in `directory`, or begins one. Every frame is checked.
   *
   * A torn tail is kept beside the segment as `<segment>.cut-<offset>`, cut off and reported in `cut`.
   * @throws RecsysError JOURNAL_DAMAGED naming file and offset where anything else is wrong.
   */
  static async open(directory: string, options: JournalOptions): Promise<Journal> {
    return disk(directory, async () => {
      await mkdir(directory, { recursive: true });
      const id = await identity(directory);
      const segments = await listSegments(directory);
      let last = (segments[0]?.firstSeq ?? 1) - 1;
      let size = 0;
      let cut: CutTail | undefined;
      for (const [i, segment] of segments.entries()) {
        const checked = check(await readFile(segment.file), segment, last, i === segments.length - 1);
        last = checked.lastSeq;
        size = checked.end;
        if (checked.torn) {
          cut = { file: segment.file, offset: checked.end, bytes: checked.torn.length };
          await writeFile(`${segment.file}.cut-${checked.end}`, checked.torn);
        }
      }
      if (segments.length === 0) segments.push(newSegment(directory, 1));
      const handle = await open(segments.at(-1)!.file, 'a');
      if (cut) {
        await handle.truncate(cut.offset);
        await handle.datasync();
      }
      await syncDirectory(directory);
      return new Journal(directory, options, segments, handle, size, last, id, cut);
    });
  }

  /** Number of the last durable record; 0 where there is none. */
  get lastSeq(): number {
    return this.last;
  }

  /** Number of the oldest record kept. */
  get firstSeq(): number {
    return this.segments[0]!.firstSeq;
  }

  /**
   * Appends records as one unit and resolves with the first one's number when they are durable.
   * @throws RecsysError DISK where they could not be written; then none of them is in the journal.
   */
  append(records: readonly unknown[]): Promise<number> {
    if (this.closed)
      return Promise.reject(new RecsysError('DISK', `${this.directory}: the journal is closed`));
    return new Promise((resolve, reject) => {
      this.waiting.push({ records, resolve, reject });
      this.writing ??= this.drain();
    });
  }

  /** The records numbered `from` and later, in order. Call before the first append. */
  async *read(from = this.firstSeq): AsyncGenerator<{ seq: number; record: unknown }> {
    for (const [i, segment] of this.segments.entries()) {
      const next = this.segments[i + 1];
      if (next && next.firstSeq <= from) continue;
      const bytes = await readFile(segment.file);
      let offset = 0;
      while (offset < bytes.length) {
        const frame = decodeFrame(bytes, offset);
        if (typeof frame === 'string') throw damaged(segment.file, offset, `is ${frame}`);
        offset = frame.end;
        if (frame.firstSeq + frame.count <= from) continue;
        let seq = frame.firstSeq;
        for (const record of frameRecords(frame)) {
          if (seq >= from) yield { seq, record };
          seq++;
        }
      }
    }
  }

  /** Deletes the oldest segments that end before `seq`, keeping at least `keep` segments. */
  async prune(seq: number, keep: number): Promise<number> {
    let removed = 0;
    while (this.segments.length > Math.max(1, keep) && this.segments[1]!.firstSeq <= seq) {
      await unlink(this.segments.shift()!.file);
      removed++;
    }
    if (removed > 0) await syncDirectory(this.directory);
    return removed;
  }

  /** Waits for appends under way and closes the file. */
  async close(): Promise<void> {
    this.closed = true;
    await this.writing;
    await this.handle.close();
  }

  private async drain(): Promise<void> {
    // One turn of the event loop: appends of the same turn share the first write.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0);
      const first = this.last + 1;
      const records = group.flatMap((entry) => entry.records);
      try {
        await this.write(first, records);
      } catch (error) {
        for (const entry of group) entry.reject(error);
        continue;
      }
      this.last += records.length;
      this.options.committed?.(first, records);
      let seq = first;
      for (const entry of group) {
        entry.resolve(seq);
        seq += entry.records.length;
      }
    }
    this.writing = undefined;
  }

  private async write(firstSeq: number, records: readonly unknown[]): Promise<void> {
    const frame = encodeFrame(firstSeq, records);
    await disk(this.directory, async () => {
      if (this.bytes >= this.options.segmentBytes) await this.roll(firstSeq);
      // Half a frame left by a failed write must not stay: the next frame would follow a damaged one.
      if (this.torn) await this.handle.truncate(this.bytes);
      this.torn = true;
      let written = 0;
      while (written < frame.length) {
        written += (await this.handle.write(frame, written, frame.length - written)).bytesWritten;
      }
      await this.handle.datasync();
      this.torn = false;
    });
    this.bytes += frame.length;
  }

  private async roll(firstSeq: number): Promise<void> {
    const segment = newSegment(this.directory, firstSeq);
    const handle = await open(segment.file, 'a');
    await syncDirectory(this.directory);
    await this.handle.close();
    this.handle = handle;
    this.segments.push(segment);
    this.bytes = 0;
  }
}

/** Checks one segment: frames whole, numbers without a gap. Only the last segment may end in a torn frame. */
function check(
  bytes: Buffer,
  segment: Segment,
  lastSeq: number,
  isLast: boolean,
): { lastSeq: number; end: number; torn?: Buffer } {
  if (segment.firstSeq !== lastSeq + 1) {
    throw damaged(segment.file, 0, `begins with record ${segment.firstSeq}, expected ${lastSeq + 1}`);
  }
  let offset = 0;
  let seq = lastSeq;
  while (offset < bytes.length) {
    const frame = decodeFrame(bytes, offset);
    if (typeof frame === 'string') {
      if (!isLast) throw damaged(segment.file, offset, `is ${frame}`);
      const next = findFrame(bytes, offset + 1);
      if (next >= 0)
        throw damaged(segment.file, offset, `is damaged, and whole records follow at offset ${next}`);
      return { lastSeq: seq, end: offset, torn: bytes.subarray(offset) };
    }
    if (frame.firstSeq !== seq + 1) {
      throw damaged(segment.file, offset, `holds record ${frame.firstSeq}, expected ${seq + 1}`);
    }
    seq += frame.count;
    offset = frame.end;
  }
  return { lastSeq: seq, end: offset };
}

async function identity(directory: string): Promise<string> {
  const file = join(directory, 'journal.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) {
    const header = headerSchema.safeParse(parseJson(text));
    if (header.success) return header.data.id;
    throw damaged(file, 0, 'is not the header of a journal of format version 1');
  }
  if ((await listSegments(directory)).length > 0) throw damaged(file, 0, 'is missing beside its segments');
  const header = { kind: 'journal', formatVersion: 1, id: randomUUID() };
  const handle = await open(file, 'wx');
  await handle.writeFile(`${JSON.stringify(header)}\n`);
  await handle.datasync();
  await handle.close();
  return header.id;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function listSegments(directory: string): Promise<Segment[]> {
  const names = (await readdir(directory)).filter((name) => SEGMENT_NAME.test(name)).sort();
  return names.map((name) => ({
    file: join(directory, name),
    firstSeq: Number(SEGMENT_NAME.exec(name)![1]),
  }));
}

function newSegment(directory: string, firstSeq: number): Segment {
  return { file: join(directory, `journal-${String(firstSeq).padStart(12, '0')}.log`), firstSeq };
}

function damaged(file: string, offset: number, what: string): RecsysError {
  return new RecsysError('JOURNAL_DAMAGED', `${file}: the journal at offset ${offset} ${what}`);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  // Some file systems refuse to sync a directory; the files themselves are synced in any case.
  await handle.sync().catch(() => undefined);
  await handle.close();
}

async function disk<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RecsysError || !(error instanceof Error)) throw error;
    throw new RecsysError('DISK', `${directory}: ${error.message}`, { cause: error });
  }
}
