import { firstItems } from '../model/room.js';
import type { Catalogue } from '../types.js';

/** A catalogue that items come into while they are served: the first event on one takes the next free row. */
export class OpenCatalogue {
  private readonly items: string[];
  private readonly rows = new Map<string, number>();
  private changes = 0;

  /** @param known rows that have items, padding included; those behind are free */
  constructor(
    readonly catalogue: Catalogue,
    known = catalogue.items.length,
  ) {
    // The catalogue's own list: whoever reads it sees the items that come.
    this.items = catalogue.items as string[];
    for (let row = 1; row < known; row++) this.rows.set(this.items[row]!, row);
  }

  /** Rows that have items, padding included. */
  get size(): number {
    return this.rows.size + 1;
  }

  /** Another number whenever an item has come. */
  get version(): number {
    return this.changes;
  }

  get(item: string): number | undefined {
    return this.rows.get(item);
  }

  /** The item's row, a free one if it has none yet; undefined where none is left. */
  take(item: string): number | undefined {
    const known = this.rows.get(item);
    if (known !== undefined || this.size >= this.items.length) return known;
    const row = this.size;
    return this.give(row, item);
  }

  /** Gives an item's row to another one. @param old has a row */
  replace(old: string, item: string): number {
    const row = this.rows.get(old)!;
    this.rows.delete(old);
    return this.give(row, item);
  }

  /** Items from a row on, in the order of rows. */
  named(from: number): string[] {
    return this.items.slice(from, this.size);
  }

  private give(row: number, item: string): number {
    this.items[row] = item;
    this.rows.set(item, row);
    this.changes++;
    return row;
  }

  /** What is known now, without the free rows: a copy. */
  snapshot(): Catalogue {
    return firstItems(this.catalogue, this.size);
  }
}
