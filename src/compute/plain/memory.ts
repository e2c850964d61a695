import { type Kernels, kernelsOver, memoryOf } from './kernels.js';

/** Bytes that a memory can have at the most, less a page. */
const MOST = 2 ** 32 - 65_536;
const ALIGNED = 16;
const owners = new WeakMap<ArrayBufferLike, PlainMemory>();

/** Rows that a kernel takes at a time. */
const CHUNK = 1024;

const bytesOf = (length: number): number => Math.ceil((length * 4) / ALIGNED) * ALIGNED;

/** A table's size. */
interface Sized {
  readonly rows: number;
  readonly width: number;
}

/** Memory of float32 arrays over which sums are made four numbers at a time. Rows are of a multiple of 4 numbers, unless said otherwise. */
export class PlainMemory {
  private readonly buffer: ArrayBuffer;
  private readonly kernels: Kernels;
  private used = 0;
  private readonly x: Float32Array;
  private readonly sum: Float32Array;
  private readonly out: Float32Array;
  private readonly ids: Int32Array;
  private readonly scales: Float32Array;

  private constructor(bytes: number, width: number, rows: number) {
    const memory = memoryOf(bytes);
    this.buffer = memory.buffer;
    this.kernels = kernelsOver(memory);
    this.x = this.allocate(width);
    this.sum = this.allocate(width);
    this.out = this.allocate(Math.max(rows, CHUNK));
    this.ids = this.allocateRows(CHUNK);
    this.scales = this.allocate(CHUNK);
    owners.set(this.buffer, this);
  }

  /** Memory for `copies` arrays of each of these sizes, and a list of all rows of each; undefined where there cannot be so much. */
  static for(tables: readonly Sized[], copies: number): PlainMemory | undefined {
    const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
    const [width, rows] = [most(tables.map((t) => t.width)), most(tables.map((t) => t.rows))];
    const own = 2 * bytesOf(width) + bytesOf(Math.max(rows, CHUNK)) + 2 * bytesOf(CHUNK);
    const bytes = tables.reduce((sum, t) => sum + copies * bytesOf(t.rows * t.width) + bytesOf(t.rows), own);
    return bytes > MOST ? undefined : new PlainMemory(bytes, width, rows);
  }

  /** The memory that an array is in, if any. */
  static of(data: Float32Array): PlainMemory | undefined {
    return owners.get(data.buffer);
  }

  /** An array of zeros, of any length. */
  allocate(length: number): Float32Array {
    const array = new Float32Array(this.buffer, this.used, length);
    this.used += bytesOf(length);
    return array;
  }

  /** A list of numbers of rows, of any length. */
  allocateRows(length: number): Int32Array {
    const { byteOffset } = this.allocate(length);
    return new Int32Array(this.buffer, byteOffset, length);
  }

  owns({ buffer }: Float32Array | Float64Array): boolean {
    return buffer === this.buffer;
  }

  /** A vector in this memory. Valid until the next call. */
  load(x: ArrayLike<number>): Float32Array {
    this.x.set(x);
    return x.length === this.x.length ? this.x : this.x.subarray(0, x.length);
  }

  /** A vector of zeros in this memory, to sum into. Valid until the next call. */
  zeros(length: number): Float32Array {
    return this.sum.subarray(0, length).fill(0);
  }

  /** x · row of every row of a table, whose rows are as wide as x. Valid until the next call. */
  products(x: ArrayLike<number>, table: Float32Array): Float32Array {
    const { kernels, out } = this;
    const rows = table.length / x.length;
    const { byteOffset } = this.load(x);
    kernels.products(byteOffset, table.byteOffset, rows, 4 * x.length, out.byteOffset);
    return out.subarray(0, rows);
  }

  /** x · row of the rows of a table that are named, into `out`. */
  dots(x: ArrayLike<number>, table: Float32Array, rows: Int32Array, out: Float64Array): void {
    const { kernels, ids, out: made } = this;
    const { byteOffset } = this.load(x);
    for (let from = 0; from < rows.length; from += CHUNK) {
      const count = this.bring(rows, from);
      kernels.dots(byteOffset, table.byteOffset, ids.byteOffset, count, 4 * x.length, made.byteOffset);
      for (let k = 0; k < count; k++) out[from + k] = made[k]!;
    }
  }

  /** y += scales[k] · row of the rows of a table that are named, as wide as y, which is in this memory. */
  gather(table: Float32Array, rows: Int32Array, scales: Float64Array, y: Float32Array): void {
    const { kernels, ids, scales: factors } = this;
    for (let from = 0; from < rows.length; from += CHUNK) {
      const count = this.bring(rows, from, scales);
      const at = factors.byteOffset;
      kernels.gather(at, table.byteOffset, ids.byteOffset, count, 4 * y.length, y.byteOffset);
    }
  }

  /** Adds scales[k] · x to the rows of a table that are named, as many as there are scales. */
  scatter(x: ArrayLike<number>, table: Float32Array, rows: Int32Array, scales: Float64Array): void {
    const { kernels, ids, scales: factors } = this;
    const { byteOffset } = this.load(x);
    for (let from = 0; from < scales.length; from += CHUNK) {
      const count = this.bring(rows, from, scales);
      const at = factors.byteOffset;
      kernels.scatter(at, byteOffset, table.byteOffset, ids.byteOffset, count, 4 * x.length);
    }
  }

  /** Multiplies the first `length` numbers of an array. */
  multiply({ byteOffset }: Float32Array, length: number, factor: number): void {
    if (length > 0) this.kernels.axpy(factor - 1, byteOffset, byteOffset, 4 * length);
  }

  /** Sum of the squares of the first rows of a table. */
  squares({ byteOffset }: Float32Array, rows: number, width: number): number {
    return rows > 0 ? this.kernels.squares(byteOffset, rows, 4 * width) : 0;
  }

  /** One update by Adagrad of the first `count` rows named, and of their sums, from gradients in the order of the names. */
  adagrad(
    weights: Float32Array,
    sums: Float32Array,
    rows: Int32Array,
    count: number,
    width: number,
    gradients: Float32Array,
    rate: number,
  ): void {
    if (count === 0) return;
    const [w, sum, ids, g] = [weights, sums, rows, gradients].map(({ byteOffset }) => byteOffset);
    this.kernels.adagrad(w!, sum!, ids!, count, 4 * width, g!, rate);
  }

  /** Brings rows and scales from `from` on into this memory, as many as there is room for. @returns how many */
  private bring(rows: Int32Array, from: number, scales?: Float64Array): number {
    const { ids, scales: factors } = this;
    const count = Math.min(CHUNK, (scales ?? rows).length - from);
    // By hand: for so few, `set` takes longer.
    for (let k = 0; k < count; k++) ids[k] = rows[from + k]!;
    if (scales) for (let k = 0; k < count; k++) factors[k] = scales[from + k]!;
    return count;
  }
}

/** Whether rows are of a width that kernels take. */
export const fits = (width: number): boolean => width % 4 === 0;
