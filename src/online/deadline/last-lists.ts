import type { TopK } from '../../compute/topk.js';
import type { List } from '../lists/lists.js';

/** A list as it was served, with the model it was of. */
export interface LastList extends TopK, Pick<List, 'reranked'> {
  readonly modelVersion: string;
}

/** The newest list of each of the users who asked last. */
export class LastLists {
  private readonly lists = new Map<string, LastList>();

  constructor(private readonly most = 10_000) {}

  get(user: string): LastList | undefined {
    return this.lists.get(user);
  }

  keep(user: string, list: LastList): void {
    this.lists.delete(user);
    this.lists.set(user, list);
    if (this.lists.size > this.most) this.lists.delete(this.lists.keys().next().value!);
  }

  forget(user: string): void {
    this.lists.delete(user);
  }

  /** Lets go of lists that an item is in. */
  drop(item: number): void {
    for (const [user, { items }] of this.lists) if (items.includes(item)) this.lists.delete(user);
  }
}
