import type { HostTensor, TensorMap } from '../types.js';
import { LastSeen } from './last-seen.js';
import type { OpenCatalogue } from './open-catalogue.js';

/** Names the tensors of a snapshot. */
const PREFIX = 'items';

/**
 * Rows for items that come while serving. Where none is free, an item that came before and has had no event for long gives up its row: the one that has had
 * none for the longest. Items of the checkpoint keep theirs.
 */
export class ComingItems {
  private readonly seen: LastSeen | undefined;

  /**
   * @param base rows of the checkpoint's items, padding included
   * @param idle milliseconds without an event after which an item may lose its row; absent: never
   */
  constructor(
    private readonly items: OpenCatalogue,
    private readonly base: number,
    idle: number | undefined,
  ) {
    if (idle !== undefined) this.seen = new LastSeen(idle, () => this.came());
  }

  /** An item's row; undefined where there is none to be had. `begins`: it was another item's until now. */
  take(item: string): { readonly row: number | undefined; readonly begins: boolean } {
    const row = this.items.take(item);
    if (row !== undefined) return { row, begins: false };
    const [idle] = this.seen?.idle(1) ?? [];
    return idle === undefined
      ? { row, begins: false }
      : { row: this.items.replace(idle, item), begins: true };
  }

  /** An event on an item has come. */
  passed(item: string, row: number, time: number): void {
    this.seen?.mark(row < this.base ? undefined : item, time);
  }

  snapshot(): TensorMap {
    return this.seen?.snapshot(PREFIX, this.came()) ?? new Map();
  }

  load(tensors: ReadonlyMap<string, HostTensor> | undefined): void {
    this.seen?.load(PREFIX, this.came(), tensors ?? new Map());
  }

  private came(): string[] {
    return this.items.named(this.base);
  }
}
