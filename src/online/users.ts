import type { Catalogue, HostTensor, Query } from '../types.js';
import { LastSeen } from './last-seen.js';
import { type KeptColumns, packHistories, unpackHistories } from './packed-histories.js';

/** A user's most recent events, oldest first, in catalogue indices. What is written stays: queries look at it while more is appended. */
interface History {
  items: Int32Array;
  behaviours: Uint8Array;
  /** Milliseconds since the epoch; empty where they are not kept. */
  times: Float64Array;
  /** NaN where an event has none; empty where they are not kept. */
  values: Float32Array;
  /** Where in these they begin and end. */
  from: number;
  to: number;
}

/** Histories as tensors, and the users they belong to: the durable form. */
export interface UserSnapshot {
  readonly users: readonly string[];
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

/** What is not there, the same for every user: an array costs more than the few events that most users have. */
const NO_TIMES = new Float64Array(0);
const NO_VALUES = new Float32Array(0);
const FIRST_CAPACITY = 8;
/** Room behind a history of as many events as are kept, as a share of them: so rarely are the kept ones moved. */
const SPARE = 0.25;

/** What the service knows of each user, known to the model or not: a bounded history keyed by the external id. */
export class UserHistories {
  private readonly histories = new Map<string, History>();
  private readonly index = new Map<string, number>();
  private readonly seen: LastSeen | undefined;

  /**
   * @param limit events kept a user
   * @param keeps which columns are kept besides items and behaviours
   * @param idle milliseconds without an event after which a history is let go of; absent: never
   */
  constructor(
    catalogue: Catalogue,
    private readonly limit: number,
    readonly keeps: KeptColumns = {},
    idle?: number,
  ) {
    if (idle !== undefined) this.seen = new LastSeen(idle, () => this.histories.keys());
    for (let u = 1; u < catalogue.users.length; u++) this.index.set(catalogue.users[u]!, u);
  }

  get size(): number {
    return this.histories.size;
  }

  has(user: string): boolean {
    return this.histories.has(user);
  }

  /** The user as a query, which later events do not change. Unknown users have index 0 and no history. */
  query(user: string): Query {
    const h = this.histories.get(user);
    return {
      user: this.index.get(user) ?? 0,
      items: h ? h.items.subarray(h.from, h.to) : new Int32Array(0),
      behaviours: h ? h.behaviours.subarray(h.from, h.to) : new Uint8Array(0),
      ...(this.keeps.times ? { times: h ? h.times.subarray(h.from, h.to) : NO_TIMES } : {}),
      ...(this.keeps.values ? { values: h ? h.values.subarray(h.from, h.to) : NO_VALUES } : {}),
    };
  }

  /**
   * @param time milliseconds since the epoch
   * @param value rating, play count; NaN where there is none
   */
  append(user: string, item: number, behaviour: number, time: number, value = Number.NaN): void {
    const h = this.room(user);
    h.items[h.to] = item;
    h.behaviours[h.to] = behaviour;
    if (this.keeps.times) h.times[h.to] = time;
    if (this.keeps.values) h.values[h.to] = value;
    h.to++;
    if (h.to - h.from > this.limit) h.from++;
  }

  /** A user has had an event while serving: lets go of those who have had none for too long. @returns how many */
  passed(user: string, time: number): number {
    const gone = this.seen?.note(user, time) ?? [];
    for (const one of gone) this.histories.delete(one);
    return gone.length;
  }

  /** Leaves an item out of all histories. */
  drop(item: number): void {
    for (const [user, h] of this.histories) {
      if (!h.items.subarray(h.from, h.to).includes(item)) continue;
      const kept = (_: unknown, at: number): boolean => at >= h.from && at < h.to && h.items[at] !== item;
      // Anew: queries look at what is there.
      const items = h.items.filter(kept);
      this.histories.set(user, {
        items,
        behaviours: h.behaviours.filter(kept),
        times: h.times.filter(kept),
        values: h.values.filter(kept),
        from: 0,
        to: items.length,
      });
    }
  }

  forget(user: string): void {
    this.histories.delete(user);
    this.seen?.forget(user);
  }

  /** A user's history, with room for one more event. */
  private room(user: string): History {
    const h = this.histories.get(user);
    if (h && h.to < h.items.length) return h;
    const kept = h ? h.to - h.from : 0;
    const most = Math.ceil(this.limit * (1 + SPARE));
    const longer = this.empty(Math.min(most, Math.max(FIRST_CAPACITY, 2 * kept)));
    if (h) {
      longer.items.set(h.items.subarray(h.from, h.to));
      longer.behaviours.set(h.behaviours.subarray(h.from, h.to));
      if (this.keeps.times) longer.times.set(h.times.subarray(h.from, h.to));
      if (this.keeps.values) longer.values.set(h.values.subarray(h.from, h.to));
    }
    longer.to = kept;
    this.histories.set(user, longer);
    return longer;
  }

  private empty(capacity: number): History {
    return {
      items: new Int32Array(capacity),
      behaviours: new Uint8Array(capacity),
      times: this.keeps.times ? new Float64Array(capacity) : NO_TIMES,
      values: this.keeps.values ? new Float32Array(capacity) : NO_VALUES,
      from: 0,
      to: 0,
    };
  }

  /** All histories, for `load`: tensors `history.*`. */
  snapshot(): UserSnapshot {
    const columns = [...this.histories.values()].map((h) => ({
      items: h.items.subarray(h.from, h.to),
      behaviours: h.behaviours.subarray(h.from, h.to),
      times: h.times.subarray(h.from, h.to),
      values: h.values.subarray(h.from, h.to),
    }));
    const users = [...this.histories.keys()];
    const seen = this.seen?.snapshot('history', users) ?? [];
    return { users, tensors: new Map([...packHistories('history', columns, this.keeps), ...seen]) };
  }

  /** Puts back what `snapshot` gave; users not in it stay as they are. */
  load(snapshot: UserSnapshot): void {
    const all = unpackHistories('history', snapshot.tensors, this.keeps);
    const none = this.empty(0);
    snapshot.users.forEach((user, i) => {
      const { items, behaviours, times = none.times, values = none.values } = all[i]!;
      const from = Math.max(0, items.length - this.limit);
      // To the end: in the order of the snapshot.
      this.histories.delete(user);
      this.histories.set(user, { items, behaviours, times, values, from, to: items.length });
    });
    this.seen?.load('history', snapshot.users, snapshot.tensors);
  }
}
