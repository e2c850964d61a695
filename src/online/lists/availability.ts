import { readFile } from 'node:fs/promises';
import { RecsysError } from '../../errors.js';
import { diskError } from '../../storage/disk.js';
import type { StageContext } from '../../types.js';
import { FileWatch } from '../file-watch.js';

/**
 * Items that cannot be had: ids in a file, one on each line, empty lines and those that begin with # left out. Changes count within a second. While the file cannot be read, what was last
 * read holds.
 */
export class Availability {
  private ids: ReadonlySet<string> = new Set();
  private failing = false;
  private readonly watch: FileWatch;

  private constructor(
    private readonly file: string,
    private readonly log: StageContext['log'],
    now: () => number,
  ) {
    this.watch = new FileWatch(file, () => this.reread(), now);
  }

  /** @throws RecsysError FILE_MISSING · DISK */
  static async open(
    file: string,
    log: StageContext['log'],
    now: () => number = Date.now,
  ): Promise<Availability> {
    const availability = new Availability(file, log, now);
    try {
      await availability.watch.begin();
      await availability.read();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
        throw new RecsysError('FILE_MISSING', `the list of unavailable items ${file} does not exist`, {
          remedy: 'Write it, empty perhaps, or leave `lists.unavailable` out.',
        });
      throw diskError(error, file);
    }
    return availability;
  }

  /** Ids of the items that cannot be had now. */
  async unavailable(): Promise<ReadonlySet<string>> {
    await this.watch.look();
    return this.ids;
  }

  private async reread(): Promise<void> {
    try {
      await this.read();
      if (this.failing) this.log('info', `${this.file} can be read again`);
      this.failing = false;
    } catch (error) {
      if (!this.failing)
        this.log('warn', `${this.file} cannot be read, what was last read holds: ${String(error)}`);
      this.failing = true;
    }
  }

  private async read(): Promise<void> {
    const lines = (await readFile(this.file, 'utf8')).split(/\r?\n/).map((line) => line.trim());
    this.ids = new Set(lines.filter((line) => line !== '' && !line.startsWith('#')));
  }
}
