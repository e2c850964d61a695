import type { Durability } from '../../protocol/events.js';
import type { JournalFiles } from './files.js';

export type { Durability };

/**
 * The event journal: an append-only log of JSON records in segment files, numbered from 1.
 *
 * Appends that arrive while others are written share the next write (group commit). With `durability: always` they are acknowledged when one
 * fdatasync has brought all of them to the disk. With `interval` they are acknowledged when the operating system has them, and brought to the
 * disk every `syncInterval`; with `none` when 8 MB wait or a segment is closed. A process that is killed loses nothing of either kind; a power cut does.
 */
export interface JournalOptions {
  /** A new segment is begun when the current one is this large. */
  readonly segmentBytes: number;
  /** A new segment is begun when the current one is this old, in milliseconds; absent: by size alone. */
  readonly segmentAge?: number | undefined;
  /** Default: always. */
  readonly durability?: Durability;
  /** Milliseconds between two syncs of `durability: interval`. */
  readonly syncInterval?: number;
  /** Called in order for every group that was written, before its appends are acknowledged. */
  readonly committed?: (firstSeq: number, records: readonly unknown[]) => void;
  /** Default: the disk. */
  readonly files?: JournalFiles;
  /** Milliseconds since the epoch, by which segments grow old. */
  readonly now?: () => number;
}

/** An unfinished write at the end, which `open` left out. */
export interface CutTail {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Which closed segments are kept though a snapshot covers them: those within both limits. */
export interface Retention {
  /** The newest so many; absent: no limit. */
  readonly segments?: number | undefined;
  /** Those last written at most so many milliseconds ago; absent: no limit. */
  readonly age?: number | undefined;
}
