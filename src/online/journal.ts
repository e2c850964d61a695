import { dirname } from 'node:path';
import { RecsysError } from '../errors.js';
import { systemCode } from '../storage/disk.js';
import { failpoint } from '../storage/failpoints.js';
import { encodeFrame, frameRecords } from './frame.js';
import { DISK, disk, type JournalFile, type JournalFiles, writeWhole } from './journal/files.js';
import type { CutTail, Durability, JournalOptions, Retention } from './journal/options.js';
import {
  damaged,
  examine,
  listSegments,
  newSegment,
  readHeader,
  type Segment,
  writeHeader,
} from './journal/segments.js';

interface Waiting {
  readonly records: readonly unknown[];
  readonly resolve: (firstSeq: number) => void;
  readonly reject: (error: unknown) => void;
}

const SYNC_INTERVAL_MS = 100;
const FULL = ['ENOSPC', 'EDQUOT'];
/** Bytes that may wait for the next sync: they are kept, to be written again should it fail. */
const UNSYNCED_BYTES = 8 * 1024 * 1024;

export class Journal {
  private readonly waiting: Waiting[] = [];
  private readonly files: JournalFiles;
  private readonly durability: Durability;
  private readonly now: () => number;
  private working: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private syncDue = false;
  private readonly seals: { resolve(segments: Segment[]): void; reject(error: unknown): void }[] = [];
  private closed = false;
  /** Why the last write failed, until one succeeds. */
  private trouble: unknown;
  /** Something other than whole frames may follow `bytes`; `tail` is what `open` found there and nobody has kept yet. */
  private torn: boolean;
  private tail: Buffer | undefined;
  /** How much of the current segment is on the disk, and the frames that follow. */
  private synced: number;
  private unsynced: Buffer[];
  /** A sync failed, perhaps of the process before: what the system still holds of `unsynced` is unknown. */
  private suspect: boolean;

  private constructor(
    private readonly directory: string,
    private readonly options: JournalOptions,
    /** Names this journal; a checkpoint remembers it beside its position. */
    readonly id: string,
    private readonly segments: Segment[],
    private file: JournalFile,
    private bytes: number,
    private begun: number,
    private last: number,
    /** What opening left out, if anything. */
    readonly cut: CutTail | undefined,
    tail: Buffer | undefined,
    unsynced: Buffer,
  ) {
    this.files = options.files ?? DISK;
    this.durability = options.durability ?? 'always';
    this.now = options.now ?? Date.now;
    this.synced = bytes - unsynced.length;
    this.unsynced = [unsynced];
    this.suspect = true;
    this.tail = tail;
    this.torn = tail !== undefined;
  }

  /**
   * Opens the journal in `directory`, or begins one. Every frame is checked, and on the disk afterwards.
   *
   * An unfinished write at the end is kept beside the segment as `<segment>.cut-<offset>`, cut off and reported in `cut`. Where the disk is too
   * full for that, it is left out of what is read and cut before the next append.
   * @throws RecsysError JOURNAL_DAMAGED naming file and offset where anything else is wrong · DISK
   */
  static async open(directory: string, options: JournalOptions): Promise<Journal> {
    const files = options.files ?? DISK;
    return disk(directory, async () => {
      await files.makeDirectory(directory);
      await files.syncDirectory(dirname(directory));
      const found = await readHeader(files, directory);
      if (typeof found === 'object') throw damaged(found);
      const id = found ?? (await writeHeader(files, directory));
      const segments = await listSegments(files, directory);
      let last = (segments[0]?.firstSeq ?? 1) - 1;
      let size = 0;
      let torn: Buffer | undefined;
      let unsynced: Buffer = Buffer.alloc(0);
      for (const [i, segment] of segments.entries()) {
        const bytes = await files.read(segment.file);
        const contents = examine(bytes, segment, last + 1, i === segments.length - 1);
        if ('what' in contents) throw damaged(contents);
        ({ lastSeq: last, end: size, torn } = contents);
        unsynced = bytes.subarray(contents.firm, size);
      }
      if (segments.length === 0) segments.push(newSegment(directory, 1));
      const { file: path } = segments.at(-1)!;
      const file = await files.open(path);
      try {
        await files.syncDirectory(directory);
        const { begun } = await files.times(path);
        const cut = torn && { file: path, offset: size, bytes: torn.length };
        const journal = new Journal(
          directory,
          options,
          id,
          segments,
          file,
          size,
          begun,
          last,
          cut,
          torn,
          unsynced,
        );
        // What a killed process wrote may be in the system's memory only.
        await journal.settle().catch((error: unknown) => {
          if (!FULL.includes(systemCode(error))) throw error;
        });
        return journal;
      } catch (error) {
        await file.close();
        throw error;
      }
    });
  }

  /** Number of the last record; 0 where there is none. */
  get lastSeq(): number {
    return this.last;
  }

  /** Number of the oldest record kept. */
  get firstSeq(): number {
    return this.segments[0]!.firstSeq;
  }

  /** False from a failed write until the next that succeeds. */
  get writable(): boolean {
    return this.trouble === undefined;
  }

  /**
   * Appends records as one unit and resolves with the first one's number when they are as durable as `durability` says.
   * @throws RecsysError DISK where they could not be written; then none of them is in the journal.
   */
  append(records: readonly unknown[]): Promise<number> {
    if (this.closed) return Promise.reject(this.isClosed());
    return new Promise((resolve, reject) => {
      this.waiting.push({ records, resolve, reject });
      this.wake();
    });
  }

  /** Brings everything appended so far to the disk, whatever `durability` says. @throws RecsysError DISK */
  async flush(): Promise<void> {
    const { file, bytes } = this;
    this.syncDue = true;
    this.wake();
    await this.working;
    // What was appended meanwhile may wait for the next sync; of a segment that has ended everything is on the disk.
    if (this.file === file && this.synced < bytes) throw this.trouble;
  }

  /**
   * The records numbered `from` and later, in order. Call before the first append.
   * @param mentioning frames in which this text does not stand are passed over, unparsed
   */
  async *read(from = this.firstSeq, mentioning?: string): AsyncGenerator<{ seq: number; record: unknown }> {
    if (from > this.last) return;
    for (const [i, segment] of this.segments.entries()) {
      const next = this.segments[i + 1];
      if (next && next.firstSeq <= from) continue;
      const contents = examine(
        await this.files.read(segment.file),
        segment,
        segment.firstSeq,
        next === undefined,
      );
      if ('what' in contents) throw damaged(contents);
      for (const frame of contents.frames) {
        if (frame.firstSeq + frame.count <= from) continue;
        if (mentioning !== undefined && !frame.payload.includes(mentioning)) continue;
        let seq = frame.firstSeq;
        for (const record of frameRecords(frame)) {
          if (seq >= from) yield { seq, record };
          seq++;
        }
      }
    }
  }

  /**
   * Deletes the oldest segments that are outside the retention. One that holds a record after `seq`, the position of the newest whole snapshot,
   * is always kept, and so is the current one.
   * @returns how many were deleted
   */
  async prune(seq: number, { segments: most, age }: Retention): Promise<number> {
    let removed = 0;
    while (this.segments.length > 1 && this.segments[1]!.firstSeq <= seq + 1) {
      const { file } = this.segments[0]!;
      const many = most !== undefined && this.segments.length - 1 > most;
      const old = age !== undefined && this.now() - (await this.files.times(file)).changed > age;
      if (!many && !old) break;
      await this.files.remove(file);
      // One after the other: a later segment that is gone before an earlier one would be a gap.
      await this.files.syncDirectory(this.directory);
      this.segments.shift();
      removed++;
    }
    return removed;
  }

  /** Begins a segment and resolves with those before it, which hold all records so far and are not written to any more. @throws RecsysError DISK */
  seal(): Promise<readonly Segment[]> {
    if (this.closed) return Promise.reject(this.isClosed());
    return new Promise((resolve, reject) => {
      this.seals.push({ resolve, reject });
      this.wake();
    });
  }

  /** Waits for appends under way, brings them to the disk and closes the file. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.syncDue = true;
    this.wake();
    await this.working;
    clearTimeout(this.timer);
    // An append that failed was refused: nothing of it may be found at the next start.
    await this.mend().catch(() => undefined);
    await this.file.close();
  }

  private wake(): void {
    this.working ??= this.work();
  }

  /** All writing is done here, one thing after the other. */
  private async work(): Promise<void> {
    // One turn of the event loop: appends of the same turn share the first write.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0 || this.syncDue || this.seals.length > 0) {
      for (const { resolve, reject } of this.seals.splice(0)) await this.sealed().then(resolve, reject);
      if (this.syncDue) {
        this.syncDue = false;
        if (this.synced < this.bytes) await this.attempt(() => this.sync()).catch(() => this.syncLater());
      }
      await this.commit(this.waiting.splice(0));
    }
    this.working = undefined;
  }

  private async sealed(): Promise<Segment[]> {
    await this.attempt(async () => {
      await this.settle();
      if (this.bytes > 0) await this.roll(this.last + 1);
    });
    return this.segments.slice(0, -1);
  }

  private async commit(group: readonly Waiting[]): Promise<void> {
    if (group.length === 0) return;
    const first = this.last + 1;
    const records = group.flatMap((entry) => entry.records);
    try {
      await this.attempt(() => this.write(first, records));
    } catch (error) {
      for (const entry of group) entry.reject(error);
      return;
    }
    this.last += records.length;
    this.options.committed?.(first, records);
    let seq = first;
    for (const entry of group) {
      entry.resolve(seq);
      seq += entry.records.length;
    }
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await disk(this.directory, work);
      this.trouble = undefined;
    } catch (error) {
      this.trouble = error;
      throw error;
    }
  }

  private async write(firstSeq: number, records: readonly unknown[]): Promise<void> {
    await this.settle();
    if (this.isFull()) await this.roll(firstSeq);
    const frame = encodeFrame(firstSeq, records, this.synced === this.bytes);
    try {
      this.torn = true;
      await this.file.write(frame, this.bytes);
      failpoint('journal.written');
      if (this.durability === 'always') await this.file.sync();
      failpoint('journal.synced');
      this.torn = false;
    } catch (error) {
      await this.mend().catch(() => undefined);
      throw error;
    }
    if (this.bytes === 0) this.begun = this.now();
    this.bytes += frame.length;
    if (this.durability === 'always') {
      this.synced = this.bytes;
      return;
    }
    this.unsynced.push(frame);
    if (this.bytes - this.synced > UNSYNCED_BYTES) this.syncDue = true;
    else this.syncLater();
  }

  private syncLater(): void {
    if (this.closed || this.durability !== 'interval') return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.syncDue = true;
      this.wake();
    }, this.options.syncInterval ?? SYNC_INTERVAL_MS).unref();
  }

  /** Makes sure of what stands in the current segment, and that nothing else does. */
  private async settle(): Promise<void> {
    if (this.suspect) await this.sync();
    await this.mend();
  }

  /** After a sync that failed the system may have dropped what it was to bring to the disk: it is written again. */
  private async sync(): Promise<void> {
    try {
      if (this.suspect) await this.file.write(Buffer.concat(this.unsynced), this.synced);
      await this.file.sync();
    } catch (error) {
      this.suspect = true;
      throw error;
    }
    this.suspect = false;
    this.synced = this.bytes;
    this.unsynced = [];
  }

  /** Cuts off what a failed write left: the next frame would follow a damaged one. */
  private async mend(): Promise<void> {
    if (!this.torn) return;
    if (this.tail) {
      await writeWhole(this.files, `${this.segments.at(-1)!.file}.cut-${this.bytes}`, this.tail);
      await this.files.syncDirectory(this.directory);
      this.tail = undefined;
    }
    await this.file.truncate(this.bytes);
    await this.sync();
    this.torn = false;
  }

  private isFull(): boolean {
    if (this.bytes === 0) return false;
    const { segmentBytes, segmentAge } = this.options;
    return this.bytes >= segmentBytes || (segmentAge !== undefined && this.now() - this.begun >= segmentAge);
  }

  /** Begins a segment. The one before is on the disk first: only the last segment can have an unfinished end. */
  private async roll(firstSeq: number): Promise<void> {
    if (this.synced < this.bytes) await this.sync();
    const segment = newSegment(this.directory, firstSeq);
    const file = await this.files.open(segment.file);
    failpoint('journal.rolled');
    try {
      await this.files.syncDirectory(this.directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    await this.file.close();
    this.file = file;
    this.segments.push(segment);
    this.bytes = 0;
    this.synced = 0;
  }

  private isClosed(): RecsysError {
    return new RecsysError('DISK', `${this.directory}: the journal is closed`);
  }
}
