import type { HostTensor, TensorMap } from '../types.js';

/** So many events in a row must have come to a time before it counts: a client whose clock is wrong moves nothing. */
const BELIEVED = 32;

/**
 * Which users have had no event for long, by the times of the events themselves: a function of the events in order, the same live and in a replay. The time
 * is the latest that the last 32 events have all come to.
 */
export class LastSeen {
  /** When users had their last event, who was first to have it in front. */
  private readonly seen = new Map<string, number>();
  /** Times of the newest events. */
  private times: number[] = [];
  /** NaN before the time is known. */
  private now = Number.NaN;
  /** Whether there may be users without a last event: it is as if they had one when that is found out. */
  private undated = true;

  /**
   * @param after milliseconds without an event
   * @param users all that there are
   */
  constructor(
    private readonly after: number,
    private readonly users: () => Iterable<string>,
  ) {}

  /** A user has an event. @param time milliseconds since the epoch @returns users who have had none for too long: they are no longer there */
  note(user: string, time: number): string[] {
    this.mark(user, time);
    return this.idle();
  }

  /** There is an event, of one of the users or of nobody. */
  mark(user: string | undefined, time: number): void {
    this.times.push(time);
    if (this.times.length > BELIEVED) this.times.shift();
    if (this.times.length < BELIEVED) return;
    const all = Math.min(...this.times);
    if (!(all <= this.now)) this.now = all;
    if (this.undated) for (const one of this.users()) if (!this.seen.has(one)) this.seen.set(one, this.now);
    this.undated = false;
    if (user === undefined) return;
    this.seen.delete(user);
    this.seen.set(user, this.now);
  }

  /** Users who have had no event for too long, the longest first: they are no longer there. @param most how many */
  idle(most = Number.POSITIVE_INFINITY): string[] {
    const gone: string[] = [];
    for (const [one, last] of this.seen) {
      if (gone.length === most || this.now - last <= this.after) break;
      gone.push(one);
    }
    for (const one of gone) this.seen.delete(one);
    return gone;
  }

  forget(user: string): void {
    this.seen.delete(user);
  }

  /** For `load`: tensors `<prefix>.seen` [users], in the order of the users, and `<prefix>.clock`; float64 as bytes. */
  snapshot(prefix: string, users: readonly string[]): TensorMap {
    const seen = users.map((user) => this.seen.get(user) ?? Number.NaN);
    return new Map([
      [`${prefix}.seen`, float64(seen)],
      [`${prefix}.clock`, float64([this.now, ...this.times])],
    ]);
  }

  /** Becomes what `snapshot` gave; what was taken without one says nothing. */
  load(prefix: string, users: readonly string[], tensors: ReadonlyMap<string, HostTensor>): void {
    const [seen, clock] = [tensors.get(`${prefix}.seen`), tensors.get(`${prefix}.clock`)];
    const [now = Number.NaN, ...times] = clock ? numbers(clock) : [];
    this.now = now;
    this.times = times;
    const last = seen ? numbers(seen) : [];
    const dated = users.map((user, i) => [user, last[i] ?? Number.NaN] as const);
    this.seen.clear();
    for (const [user, at] of dated.filter(([, at]) => !Number.isNaN(at)).sort(([, a], [, b]) => a - b))
      this.seen.set(user, at);
    this.undated = true;
  }
}

/** What `snapshot` gave, of some of its users alone. */
export function seenOf(
  prefix: string,
  tensors: ReadonlyMap<string, HostTensor>,
  rows: readonly number[],
): TensorMap {
  const [seen, clock] = [tensors.get(`${prefix}.seen`), tensors.get(`${prefix}.clock`)];
  if (!seen || !clock) return new Map();
  const last = numbers(seen);
  return new Map([
    [`${prefix}.seen`, float64(rows.map((row) => last[row]!))],
    [`${prefix}.clock`, clock],
  ]);
}

const float64 = (values: readonly number[]): HostTensor => ({
  dtype: 'U8',
  shape: [values.length, 8],
  data: new Uint8Array(Float64Array.from(values).buffer),
});

const numbers = ({ data }: HostTensor): number[] =>
  Array.from(new Float64Array(Uint8Array.from(data as Uint8Array).buffer));
