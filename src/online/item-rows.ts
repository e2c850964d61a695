/** Rows of items by id, of a catalogue that items come into: what has a row keeps it. */
export class ItemRows {
  private readonly rows = new Map<string, number>();
  private next = 1;

  /** @param items by row; '' where a row is free yet */
  constructor(private readonly items: readonly string[]) {}

  /** A row is another item's from now on. */
  give(row: number, id: string): void {
    for (const [old, of] of this.rows) if (of === row) this.rows.delete(old);
    this.rows.set(id, row);
  }

  get(id: string): number | undefined {
    for (; this.next < this.items.length && this.items[this.next] !== ''; this.next++)
      this.rows.set(this.items[this.next]!, this.next);
    return this.rows.get(id);
  }
}
