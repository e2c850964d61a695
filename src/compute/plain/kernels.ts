/**
 * A WebAssembly function of four numbers at a time, written down as its bytes: JavaScript has no such instructions, and takes five times as long.
 *
 *     products(x, table, rows, bytes, out): out[r] = x · table[r] for `rows` rows of `bytes` bytes (float32, a multiple of 16 bytes)
 *
 * All sums are made in the same order everywhere: the instructions are exact, unlike a library's that choose by machine.
 */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  readonly Memory: new (size: { readonly initial: number }) => Memory;
};

/** Memory that the functions see, of `buffer.byteLength` bytes. */
export interface Memory {
  readonly buffer: ArrayBuffer;
}

const PAGE = 65_536;

export const memoryOf = (bytes: number): Memory =>
  new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });

const [X, TABLE, ROWS, BYTES, OUT, AT, SUM] = [0, 1, 2, 3, 4, 5, 6];
const I32 = 0x7f;
const V128 = 0x7b;
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const constant = (value: number): number[] => [0x41, value];
const ADD = [0x6a];
const SUBTRACT = [0x6b];
const LESS_UNSIGNED = [0x49];
const END = [0x0b];
const NO_VALUE = 0x40;
const loop = (...body: number[][]): number[] => [0x03, NO_VALUE, ...body.flat(), ...END];
/** Again from the start of the innermost loop where the top of the stack is not 0. */
const AGAIN_IF = [0x0d, 0];
const STORE_FLOAT = [0x38, 2, 0];
const ADD_FLOATS = [0x92];
const ZEROS = [0xfd, 12, ...new Array<number>(16).fill(0)];
const LOAD_FOUR = [0xfd, 0, 4, 0];
const MULTIPLY_FOUR = [0xfd, 0xe6, 1];
const ADD_FOUR = [0xfd, 0xe4, 1];
const lane = (n: number): number[] => [0xfd, 31, n];

const PRODUCTS = loop(
  [...ZEROS, ...set(SUM), ...constant(0), ...set(AT)],
  loop(
    [
      ...get(SUM),
      ...get(X),
      ...get(AT),
      ...ADD,
      ...LOAD_FOUR,
      ...get(TABLE),
      ...get(AT),
      ...ADD,
      ...LOAD_FOUR,
    ],
    [...MULTIPLY_FOUR, ...ADD_FOUR, ...set(SUM)],
    [
      ...get(AT),
      ...constant(16),
      ...ADD,
      ...set(AT),
      ...get(AT),
      ...get(BYTES),
      ...LESS_UNSIGNED,
      ...AGAIN_IF,
    ],
  ),
  get(OUT),
  [...get(SUM), ...lane(0), ...get(SUM), ...lane(1), ...ADD_FLOATS],
  [...get(SUM), ...lane(2), ...get(SUM), ...lane(3), ...ADD_FLOATS, ...ADD_FLOATS, ...STORE_FLOAT],
  [...get(OUT), ...constant(4), ...ADD, ...set(OUT), ...get(TABLE), ...get(BYTES), ...ADD, ...set(TABLE)],
  [...get(ROWS), ...constant(1), ...SUBTRACT, ...set(ROWS), ...get(ROWS), ...AGAIN_IF],
);

/** A size as WebAssembly writes it: seven bits a byte, the lowest first. */
function size(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, ...size(n >> 7)];
}

const vector = (...entries: number[][]): number[] => [...size(entries.length), ...entries.flat()];
const sized = (bytes: number[]): number[] => [...size(bytes.length), ...bytes];
const text = (name: string): number[] => sized([...Buffer.from(name)]);
const section = (id: number, body: number[]): number[] => [id, ...sized(body)];

const MODULE = new WebAssembly.Module(
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([0x60, ...vector([I32], [I32], [I32], [I32], [I32]), ...vector()])),
    ...section(2, vector([...text('host'), ...text('memory'), 2, 0, 0])),
    ...section(3, vector([0])),
    ...section(7, vector([...text('products'), 0, 0])),
    ...section(10, vector(sized([...vector([1, I32], [1, V128]), ...PRODUCTS, ...END]))),
  ]),
);

export interface Kernels {
  products(x: number, table: number, rows: number, bytes: number, out: number): void;
}

/** The functions over a memory. */
export function kernelsOver(memory: Memory): Kernels {
  return new WebAssembly.Instance(MODULE, { host: { memory } }).exports as Kernels;
}
