import { type Kernels, kernelsOver, memoryOf } from './kernels.js';

/** Bytes that a memory can have at the most, less a page. */
const MOST = 2 ** 32 - 65_536;
const ALIGNED = 16;
const owners = new WeakMap<ArrayBufferLike, PlainMemory>();

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

  private constructor(bytes: number, width: number, rows: number) {
    const memory = memoryOf(bytes);
    this.buffer = memory.buffer;
    this.kernels = kernelsOver(memory);
    this.x = this.allocate(width);
    this.sum = this.allocate(width);
    this.out = this.allocate(rows);
    owners.set(this.buffer, this);
  }

  /** Memory for `copies` arrays of each of these sizes; undefined where there cannot be so much. */
  static for(tables: readonly Sized[], copies: number): PlainMemory | undefined {
    const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
    const [width, rows] = [most(tables.map((t) => t.width)), most(tables.map((t) => t.rows))];
    const own = 2 * bytesOf(width) + bytesOf(rows);
    const bytes = tables.reduce((sum, t) => sum + copies * bytesOf(t.rows * t.width), own);
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

  owns({ buffer }: Float32Array | Float64Array): boolean {
    return buffer === this.buffer;
  }

  /** A vector in this memory. Valid until the next call. */
  load(x: ArrayLike<number>): Float32Array {
    this.x.set(x);
    return this.x.subarray(0, x.length);
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

  /** x · y[from … from + x.length) */
  dot(x: Float32Array, y: Float32Array, from: number): number {
    return this.kernels.dot(x.byteOffset, y.byteOffset + 4 * from, 4 * x.length);
  }

  /** y[yFrom … yFrom + length) += scale · x[xFrom … xFrom + length) */
  axpy(scale: number, x: Float32Array, xFrom: number, y: Float32Array, yFrom: number, length: number): void {
    this.kernels.axpy(scale, x.byteOffset + 4 * xFrom, y.byteOffset + 4 * yFrom, 4 * length);
  }

  /** Σ g² of g[from … from + length) */
  squares(g: Float32Array, from: number, length: number): number {
    const at = g.byteOffset + 4 * from;
    return this.kernels.dot(at, at, 4 * length);
  }

  /** One update by Adagrad of `length` weights at `from`, and of their sums; their gradients begin at `at`. */
  adagrad(
    weights: Float32Array,
    sums: Float32Array,
    from: number,
    gradients: Float32Array,
    at: number,
    length: number,
    rate: number,
  ): void {
    const bytes = 4 * from;
    const g = gradients.byteOffset + 4 * at;
    this.kernels.adagrad(weights.byteOffset + bytes, sums.byteOffset + bytes, g, 4 * length, rate);
  }
}

/** Whether rows are of a width that kernels take. */
export const fits = (width: number): boolean => width % 4 === 0;
