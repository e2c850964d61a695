import { type Kernels, kernelsOver, memoryOf } from './kernels.js';

/** Bytes that a memory can have at the most, less a page. */
const MOST = 2 ** 32 - 65_536;
const ALIGNED = 16;
const owners = new WeakMap<ArrayBufferLike, PlainMemory>();

const bytesOf = (length: number): number => Math.ceil((length * 4) / ALIGNED) * ALIGNED;

/** Memory of float32 arrays over which many products are made at once. */
export class PlainMemory {
  private readonly buffer: ArrayBuffer;
  private readonly kernels: Kernels;
  private used = 0;
  private readonly x: Float32Array;
  private readonly out: Float32Array;

  /** @param lengths of the arrays that will be allocated, the longest row of any, and the most rows */
  private constructor(lengths: readonly number[], width: number, rows: number) {
    const total = [...lengths, width, rows].reduce((sum, length) => sum + bytesOf(length), 0);
    const memory = memoryOf(total);
    this.buffer = memory.buffer;
    this.kernels = kernelsOver(memory);
    this.x = this.allocate(width);
    this.out = this.allocate(rows);
    owners.set(this.buffer, this);
  }

  /** Memory for arrays of these sizes; undefined where there cannot be so much. */
  static for(tables: readonly { readonly rows: number; readonly width: number }[]): PlainMemory | undefined {
    const lengths = tables.map(({ rows, width }) => rows * width);
    const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
    const [width, rows] = [most(tables.map((t) => t.width)), most(tables.map((t) => t.rows))];
    if ([...lengths, width, rows].reduce((sum, length) => sum + bytesOf(length), 0) > MOST) return undefined;
    return new PlainMemory(lengths, width, rows);
  }

  /** The memory that an array is in, if any. */
  static of(data: Float32Array): PlainMemory | undefined {
    return owners.get(data.buffer);
  }

  /** An array of zeros. */
  allocate(length: number): Float32Array {
    const array = new Float32Array(this.buffer, this.used, length);
    this.used += bytesOf(length);
    return array;
  }

  /** x · row of every row of an array of this memory, whose rows are as wide as x: a multiple of 4. Valid until the next call. */
  products(x: ArrayLike<number>, table: Float32Array): Float32Array {
    const { kernels, out } = this;
    const rows = table.length / x.length;
    this.x.set(x);
    kernels.products(this.x.byteOffset, table.byteOffset, rows, 4 * x.length, out.byteOffset);
    return out.subarray(0, rows);
  }
}
