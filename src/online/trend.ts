import type { TensorMap } from '../types.js';

/** Counts below weigh nothing any more. */
const GONE = 1e-3;

/** Which items everyone turns to now: events on each, halved with every `halfLife` events that come after. A function of the events in order. */
export class Trend {
  private counts: Float32Array = new Float32Array(0);
  /** log(1 + count), as far as asked for since the last events. */
  private logs: Float32Array | undefined;

  /** @param halfLife events after which one counts half */
  constructor(private readonly halfLife: number) {}

  /** Events come, all at once: rows of their items. */
  note(items: Int32Array): void {
    const last = items.reduce((most, item) => Math.max(most, item), 0);
    if (last >= this.counts.length)
      this.counts = grown(this.counts, Math.max(last + 1, 2 * this.counts.length));
    const left = 2 ** (-items.length / this.halfLife);
    for (let i = 0; i < this.counts.length; i++) {
      const count = this.counts[i]! * left;
      this.counts[i] = count < GONE ? 0 : count;
    }
    for (const item of items) this.counts[item]! += 1;
    this.logs = undefined;
  }

  /** What the weights multiply: log(1 + count) [columns]. Not to be changed. */
  of(columns: number): Float32Array {
    if (this.logs?.length !== columns)
      this.logs = grown(this.counts.subarray(0, columns), columns).map(logOf);
    return this.logs;
  }

  /** The same of some items [items]. */
  at(items: Int32Array): Float32Array {
    return Float32Array.from(items, (item) => logOf(this.counts[item] ?? 0));
  }

  /** Rows have become other items'. */
  restart(rows: readonly number[]): void {
    for (const row of rows) if (row < this.counts.length) this.counts[row] = 0;
    this.logs = undefined;
  }

  /** For `load`: tensor `<prefix>.trend` [rows]. */
  snapshot(prefix: string): TensorMap {
    const { length } = this.counts;
    return new Map([[`${prefix}.trend`, { dtype: 'F32', shape: [length], data: this.counts.slice() }]]);
  }

  /** Becomes what `snapshot` gave; what was taken without one says nothing. */
  load(prefix: string, tensors: TensorMap): void {
    this.counts = Float32Array.from(tensors.get(`${prefix}.trend`)?.data ?? []);
    this.logs = undefined;
  }
}

const logOf = (count: number): number => (count === 0 ? 0 : Math.log1p(count));

function grown(values: Float32Array, length: number): Float32Array {
  const into = new Float32Array(length);
  into.set(values.subarray(0, length));
  return into;
}

/** Adds a user's weight of the trend to scores, of which each has its logarithm. */
export function addTrend(scores: Float32Array, logs: Float32Array, weight: number): void {
  if (weight === 0) return;
  for (let i = 0; i < scores.length; i++) scores[i]! += weight * logs[i]!;
}
