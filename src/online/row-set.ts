const LAST = 2 ** 31 - 1;

/** A set of rows, emptied in no time: for one that is filled anew for every event. */
export class RowSet {
  /** When each row was last added. */
  private readonly added: Int32Array;
  private now = 1;

  /** @param rows from 0 to below this */
  constructor(rows: number) {
    this.added = new Int32Array(rows);
  }

  clear(): void {
    if (this.now === LAST) {
      this.added.fill(0);
      this.now = 0;
    }
    this.now++;
  }

  add(row: number): void {
    this.added[row] = this.now;
  }

  has(row: number): boolean {
    return this.added[row] === this.now;
  }
}
