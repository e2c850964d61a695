/** Rows that have become another item's, each with which of all times that was last: what was learned of a row before is of no use since. */
export class BegunRows {
  private readonly last = new Map<number, number>();

  /** How often that has happened. */
  count = 0;

  add(rows: readonly number[]): void {
    for (const row of rows) this.last.set(row, ++this.count);
  }

  /** Rows for which that has happened after the first `count` times. */
  since(count: number): number[] {
    return [...this.last].flatMap(([row, nth]) => (nth > count ? [row] : []));
  }

  snapshot(): [number, number][] {
    return [...this.last];
  }

  load(begun: Iterable<readonly [number, number]> = []): void {
    this.last.clear();
    for (const [row, nth] of begun) this.last.set(row, nth);
    this.count = timesOf(begun);
  }
}

/** How often rows had become others' when that was written down. */
export const timesOf = (begun: Iterable<readonly [number, number]> = []): number =>
  [...begun].reduce((most, [, nth]) => Math.max(most, nth), 0);
