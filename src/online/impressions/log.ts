import { rename } from 'node:fs/promises';
import { RecsysError } from '../../errors.js';
import { kindOf } from '../../storage/disk.js';
import type { StageContext } from '../../types.js';
import type { JournalFiles } from '../journal/files.js';
import type { Durability } from '../journal/options.js';
import type { Segment } from '../journal/segments.js';
import { Journal } from '../journal.js';
import type { RetentionConfig } from '../schema.js';
import type { Impression } from './record.js';

export interface ImpressionLogOptions {
  readonly durability: Durability;
  /** Milliseconds between two syncs with `durability: interval`. */
  readonly syncInterval: number;
  readonly retention: Pick<RetentionConfig, 'segmentBytes' | 'segmentHours' | 'segments' | 'days'>;
  /** Default: the disk. */
  readonly files?: JournalFiles;
  readonly log: StageContext['log'];
  /** Milliseconds since the epoch. Default: the machine's. */
  readonly now?: () => number;
}

const HOUR_MS = 3_600_000;
/** Lists between two looks at what the retention lets go. */
const PRUNE_EVERY = 1000;

/** The lists served, in segments like the journal's. They are no part of the service's state: without them it goes on. */
export class ImpressionLog {
  private failing = false;
  private written = 0;
  private readonly pending = new Set<Promise<void>>();
  private readers = 0;

  private constructor(
    private readonly journal: Journal,
    private readonly options: ImpressionLogOptions,
  ) {}

  /** Opens the log, or begins one; one that is damaged is kept aside. @throws RecsysError DISK */
  static async open(directory: string, options: ImpressionLogOptions): Promise<ImpressionLog> {
    const { durability, syncInterval, retention, files, log } = options;
    const { segmentBytes, segmentHours } = retention;
    const segmentAge = segmentHours === undefined ? undefined : segmentHours * HOUR_MS;
    const journal = { segmentBytes, segmentAge, durability, syncInterval, ...(files ? { files } : {}) };
    try {
      return new ImpressionLog(await Journal.open(directory, journal), options);
    } catch (error) {
      if (!(error instanceof RecsysError) || error.code !== 'JOURNAL_DAMAGED') throw error;
      let n = 1;
      while ((await kindOf(`${directory}.damaged-${n}`)) !== 'none') n++;
      await rename(directory, `${directory}.damaged-${n}`);
      log('warn', `${error.message}: kept as ${directory}.damaged-${n}, and a new log of impressions begun`);
      return new ImpressionLog(await Journal.open(directory, journal), options);
    }
  }

  /** Writes a list; resolves when it is as durable as events are, or could not be written: lists are served in any case. */
  write(impression: Omit<Impression, 'time'>): Promise<void> {
    const done = this.attempt(impression).finally(() => this.pending.delete(done));
    this.pending.add(done);
    return done;
  }

  /** Runs `work`, which reads segments or writes them anew: none is deleted meanwhile. */
  async undisturbed<T>(work: () => Promise<T>): Promise<T> {
    this.readers++;
    try {
      await this.settled();
      return await work();
    } finally {
      this.readers--;
    }
  }

  /** The segments with all lists whose writing has begun; they are not written to any more. @throws RecsysError DISK */
  async closed(): Promise<readonly Segment[]> {
    await this.settled();
    return this.journal.seal();
  }

  close(): Promise<void> {
    return this.journal.close();
  }

  private async settled(): Promise<void> {
    await Promise.allSettled([...this.pending]);
  }

  private async attempt(impression: Omit<Impression, 'time'>): Promise<void> {
    const { log, now = Date.now } = this.options;
    try {
      await this.journal.append([{ ...impression, time: now() }]);
      if (this.failing) log('info', 'impressions can be written again');
      this.failing = false;
      this.written++;
      if (this.written >= PRUNE_EVERY && this.readers === 0) await this.prune();
    } catch (error) {
      if (!(error instanceof RecsysError)) throw error;
      if (!this.failing)
        log('warn', `impressions cannot be written, lists are served without: ${error.message}`);
      this.failing = true;
    }
  }

  private async prune(): Promise<void> {
    this.written = 0;
    const { segments, days } = this.options.retention;
    const age = days === undefined ? undefined : days * 24 * HOUR_MS;
    await this.journal.prune(this.journal.lastSeq, { segments, age });
  }
}
