import type { Catalogue, HostTensor, Query } from '../types.js';

/** A user's most recent events, oldest first, in catalogue indices. */
interface History {
  items: Int32Array;
  behaviours: Uint8Array;
  length: number;
}

/** Histories as tensors, and the users they belong to: the durable form. */
export interface UserSnapshot {
  readonly users: readonly string[];
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

const FIRST_CAPACITY = 8;

/** What the service knows of each user, known to the model or not: a bounded history keyed by the external id. */
export class UserHistories {
  private readonly histories = new Map<string, History>();
  private readonly index = new Map<string, number>();

  /** @param limit events kept a user */
  constructor(
    catalogue: Catalogue,
    private readonly limit: number,
  ) {
    for (let u = 1; u < catalogue.users.length; u++) this.index.set(catalogue.users[u]!, u);
  }

  get size(): number {
    return this.histories.size;
  }

  has(user: string): boolean {
    return this.histories.has(user);
  }

  /** The user as a query: a copy, which later events do not change. Unknown users have index 0 and no history. */
  query(user: string): Query {
    const h = this.histories.get(user);
    return {
      user: this.index.get(user) ?? 0,
      items: h ? h.items.slice(0, h.length) : new Int32Array(0),
      behaviours: h ? h.behaviours.slice(0, h.length) : new Uint8Array(0),
    };
  }

  append(user: string, item: number, behaviour: number): void {
    let h = this.histories.get(user);
    if (!h) {
      h = { items: new Int32Array(FIRST_CAPACITY), behaviours: new Uint8Array(FIRST_CAPACITY), length: 0 };
      this.histories.set(user, h);
    }
    if (h.length >= this.limit) {
      h.items.copyWithin(0, h.length - this.limit + 1, h.length);
      h.behaviours.copyWithin(0, h.length - this.limit + 1, h.length);
      h.length = this.limit - 1;
    } else if (h.length === h.items.length) {
      const capacity = Math.min(this.limit, h.length * 2);
      const items = new Int32Array(capacity);
      const behaviours = new Uint8Array(capacity);
      items.set(h.items);
      behaviours.set(h.behaviours);
      h.items = items;
      h.behaviours = behaviours;
    }
    h.items[h.length] = item;
    h.behaviours[h.length] = behaviour;
    h.length++;
  }

  /** All histories: offsets [users + 1], items and behaviours of all users one after another. */
  snapshot(): UserSnapshot {
    const users = [...this.histories.keys()];
    const offsets = new Int32Array(users.length + 1);
    let total = 0;
    users.forEach((user, i) => {
      total += this.histories.get(user)!.length;
      offsets[i + 1] = total;
    });
    const items = new Int32Array(total);
    const behaviours = new Uint8Array(total);
    users.forEach((user, i) => {
      const h = this.histories.get(user)!;
      items.set(h.items.subarray(0, h.length), offsets[i]!);
      behaviours.set(h.behaviours.subarray(0, h.length), offsets[i]!);
    });
    return {
      users,
      tensors: new Map<string, HostTensor>([
        ['history.offsets', { dtype: 'I32', shape: [offsets.length], data: offsets }],
        ['history.items', { dtype: 'I32', shape: [total], data: items }],
        ['history.behaviours', { dtype: 'U8', shape: [total], data: behaviours }],
      ]),
    };
  }

  /** Puts back what `snapshot` gave; users not in it stay as they are. */
  load(snapshot: UserSnapshot): void {
    const data = (name: string) => snapshot.tensors.get(name)!.data;
    const offsets = data('history.offsets');
    const items = data('history.items');
    const behaviours = data('history.behaviours');
    snapshot.users.forEach((user, i) => {
      this.histories.delete(user);
      for (let at = offsets[i]!; at < offsets[i + 1]!; at++) this.append(user, items[at]!, behaviours[at]!);
    });
  }
}
