import type { DuckDBAppender } from '@duckdb/node-api';
import type { RawValue } from './readers/reader.js';
import type { Staging } from './staging.js';

/**
 * What was shown together, in the staging table `shown(place, impression, item, seq)`: one row an item shown, `seq` the row of the click,
 * null where it was not clicked. Impressions are numbered from 1 in the order of the sources.
 */
export class ShownItems {
  impressions = 0;
  private place = 0;
  private last: RawValue;

  private constructor(private readonly appender: DuckDBAppender) {}

  static async open(staging: Staging): Promise<ShownItems> {
    await staging.run('CREATE TABLE shown(place INTEGER, impression INTEGER, item VARCHAR, seq INTEGER)');
    return new ShownItems(await staging.appender('shown'));
  }

  /** Another file may name its impressions as the one before did. */
  nextFile(): void {
    this.last = undefined;
  }

  /** @param impression as its file names it: the items of one stand together */
  add(impression: RawValue, item: string, seq: number | undefined): void {
    if (impression !== this.last) this.impressions++;
    this.last = impression;
    this.appender.appendInteger(this.place++);
    this.appender.appendInteger(this.impressions);
    this.appender.appendVarchar(item);
    if (seq === undefined) this.appender.appendNull();
    else this.appender.appendInteger(seq);
    this.appender.endRow();
  }

  close(): void {
    this.appender.closeSync();
  }
}
