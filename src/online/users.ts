import type { Catalogue, HostTensor, Query } from '../types.js';
import { type KeptColumns, packHistories, unpackHistories } from './packed-histories.js';

/** A user's most recent events, oldest first, in catalogue indices. */
interface History {
  items: Int32Array;
  behaviours: Uint8Array;
  /** Milliseconds since the epoch; empty where they are not kept. */
  times: Float64Array;
  /** NaN where an event has none; empty where they are not kept. */
  values: Float32Array;
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

  /**
   * @param limit events kept a user
   * @param keeps which columns are kept besides items and behaviours
   */
  constructor(
    catalogue: Catalogue,
    private readonly limit: number,
    readonly keeps: KeptColumns = {},
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
      ...(this.keeps.times ? { times: h ? h.times.slice(0, h.length) : new Float64Array(0) } : {}),
      ...(this.keeps.values ? { values: h ? h.values.slice(0, h.length) : new Float32Array(0) } : {}),
    };
  }

  /**
   * @param time milliseconds since the epoch
   * @param value rating, play count; NaN where there is none
   */
  append(user: string, item: number, behaviour: number, time: number, value = Number.NaN): void {
    let h = this.histories.get(user);
    if (!h) {
      h = this.room(FIRST_CAPACITY);
      this.histories.set(user, h);
    }
    if (h.length >= this.limit) {
      for (const column of [h.items, h.behaviours, h.times, h.values])
        column.copyWithin(0, h.length - this.limit + 1, h.length);
      h.length = this.limit - 1;
    } else if (h.length === h.items.length) {
      const { items, behaviours, times, values, length } = h;
      h = Object.assign(h, this.room(Math.min(this.limit, length * 2)), { length });
      h.items.set(items);
      h.behaviours.set(behaviours);
      h.times.set(times);
      h.values.set(values);
    }
    h.items[h.length] = item;
    h.behaviours[h.length] = behaviour;
    if (this.keeps.times) h.times[h.length] = time;
    if (this.keeps.values) h.values[h.length] = value;
    h.length++;
  }

  forget(user: string): void {
    this.histories.delete(user);
  }

  private room(capacity: number): History {
    return {
      items: new Int32Array(capacity),
      behaviours: new Uint8Array(capacity),
      times: new Float64Array(this.keeps.times ? capacity : 0),
      values: new Float32Array(this.keeps.values ? capacity : 0),
      length: 0,
    };
  }

  /** All histories, for `load`: tensors `history.*`. */
  snapshot(): UserSnapshot {
    const columns = [...this.histories.values()].map((h) => ({
      items: h.items.subarray(0, h.length),
      behaviours: h.behaviours.subarray(0, h.length),
      times: h.times.subarray(0, h.length),
      values: h.values.subarray(0, h.length),
    }));
    return { users: [...this.histories.keys()], tensors: packHistories('history', columns, this.keeps) };
  }

  /** Puts back what `snapshot` gave; users not in it stay as they are. */
  load(snapshot: UserSnapshot): void {
    const all = unpackHistories('history', snapshot.tensors, this.keeps);
    snapshot.users.forEach((user, i) => {
      this.histories.delete(user);
      const { items, behaviours, times, values } = all[i]!;
      for (const [at, item] of items.entries())
        this.append(user, item, behaviours[at]!, times?.[at] ?? 0, values?.[at]);
    });
  }
}
