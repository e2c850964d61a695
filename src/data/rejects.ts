import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { RecsysError } from '../errors.js';

const csv = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Rows refused, written to rejected.csv (file, line, reason, raw) as they come. */
export class Rejects {
  /** Rows read and rows rejected so far, of the file being read. */
  private read = 0;
  private rejectedHere = 0;
  private file = '';
  /** Rows rejected in all files. */
  total = 0;
  private readonly everywhere = new Map<string, number>();
  private readonly reasons = new Map<string, { count: number; first: string }>();
  private readonly out: WriteStream;
  private failure: Error | undefined;

  constructor(
    path: string,
    private readonly limit: number,
  ) {
    this.out = createWriteStream(path);
    this.out.on('error', (error) => {
      this.failure = error;
    });
    this.out.write('file,line,reason,raw\n');
  }

  /** Starts counting for another file: the limit holds for each. */
  begin(file: string): void {
    this.file = file;
    this.read = 0;
    this.rejectedHere = 0;
    this.reasons.clear();
  }

  /** Counts a row that was read, accepted or not. */
  count(): void {
    this.read++;
  }

  reject(line: number, reason: string, raw: string): void {
    this.total++;
    this.rejectedHere++;
    const shown = raw.length > 300 ? `${raw.slice(0, 300)}…` : raw;
    this.everywhere.set(reason, (this.everywhere.get(reason) ?? 0) + 1);
    const known = this.reasons.get(reason);
    if (known) known.count++;
    else this.reasons.set(reason, { count: 1, first: `${this.file}:${line}: ${shown}` });
    this.out.write(`${csv(this.file)},${line},${csv(reason)},${csv(shown)}\n`);
    // Nothing of a large file fits: no need to read it to the end.
    if (this.rejectedHere >= 10_000 && this.rejectedHere === this.read) this.check();
  }

  /** Errors: TOO_MANY_REJECTED naming the most frequent reason and its first row. */
  check(): void {
    if (this.failure) throw this.failure;
    if (this.rejectedHere === 0 || this.rejectedHere <= this.limit * this.read) return;
    const [reason, { count, first }] = [...this.reasons].reduce((a, b) => (b[1].count > a[1].count ? b : a));
    const share = ((100 * this.rejectedHere) / this.read).toFixed(1);
    throw new RecsysError(
      'TOO_MANY_REJECTED',
      `${this.file}: ${this.rejectedHere} of ${this.read} rows (${share} %) are rejected, more than rejectLimit ${this.limit}; ` +
        `most often (${count}): ${reason}; first at ${first}`,
      { remedy: 'Correct the column mapping, the time format or the encoding, or raise `rejectLimit`.' },
    );
  }

  /** The most frequent reason in all files; '' where nothing was rejected. */
  commonest(): string {
    return [...this.everywhere].reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0] as [string, number])[0];
  }

  async close(): Promise<void> {
    this.out.end();
    if (!this.out.writableFinished && !this.failure)
      await Promise.race([once(this.out, 'finish'), once(this.out, 'error')]);
    if (this.failure) throw this.failure;
  }
}
