import type { ParameterInits, Table } from '../compute/parameters.js';
import type { LearnExample } from './learner.js';

/** Newest items of a history that say where an item belongs that nobody has had before. */
const NEIGHBOURS = 10;

/**
 * First values of items that come while they are served: the mean of what the model has of the items that the user had before, in every
 * table that has a row an item. Learning goes on from there.
 */
export class NewItems {
  private readonly tables: readonly Table[];
  /** [rows] 1 where an item has values. */
  private readonly introduced: Uint8Array;

  /**
   * @param rows of items, padding included, free ones too
   * @param introduced which of the first rows have values; absent: all of `known`
   */
  constructor(
    inits: ParameterInits,
    store: { readonly tables: ReadonlyMap<string, Table> },
    { rows, known, introduced }: { rows: number; known: number; introduced?: Uint8Array | undefined },
  ) {
    const names = [...inits.keys()].filter((name) => inits.get(name)!.grows === 'items');
    this.tables = names.flatMap((name) => store.tables.get(name) ?? []);
    this.introduced = new Uint8Array(rows);
    if (introduced) this.introduced.set(introduced);
    else this.introduced.fill(1, 0, known);
  }

  /** Gives the items of examples that have nothing yet their first values, in the order of the examples. */
  introduce(examples: readonly LearnExample[]): void {
    const { introduced } = this;
    for (const { item, query } of examples) {
      if (introduced[item] === 1) continue;
      const near = query.items.filter((other) => introduced[other] === 1).slice(-NEIGHBOURS);
      // Of an item that comes first in its user's history nothing can be said yet.
      if (near.length === 0) continue;
      for (const { data, width } of this.tables) {
        for (let i = 0; i < width; i++) {
          const sum = near.reduce((total, other) => total + data[other * width + i]!, 0);
          data[item * width + i] = sum / near.length;
        }
      }
      introduced[item] = 1;
    }
  }

  /** Rows are as those of items nobody has heard of: zero, until their items come. */
  restart(rows: readonly number[]): void {
    for (const row of rows) {
      for (const { data, width } of this.tables) data.fill(0, row * width, (row + 1) * width);
      this.introduced[row] = 0;
    }
  }

  /** Puts back what `snapshot` gave: items that came since have nothing. */
  restore(introduced: Uint8Array): void {
    this.introduced.fill(0);
    this.introduced.set(introduced);
  }

  /** Which of the first `rows` have values. */
  snapshot(rows: number): Uint8Array {
    return this.introduced.slice(0, rows);
  }
}
