/**
 * WebAssembly functions that take four numbers at a time, written down as their bytes: JavaScript has no such instructions, and takes five times as long.
 * Arrays are of float32, sizes in bytes, multiples of 16.
 *
 *     products(x, table, rows, bytes, out)               out[r] = x · table[r] for every row
 *     axpy(scale, x, y, bytes)                           y += scale · x
 *     squares(table, rows, bytes)                        Σ_r table[r] · table[r], as float64
 *
 * and, for `count` rows named by int32 `ids`, one after the other:
 *
 *     dots(x, table, ids, count, bytes, out)             out[k] = x · table[ids[k]]
 *     gather(scales, table, ids, count, bytes, y)        y += scales[k] · table[ids[k]]
 *     scatter(scales, x, table, ids, count, bytes)       table[ids[k]] += scales[k] · x
 *     adagrad(w, sum, ids, count, bytes, g, rate)        sum[ids[k]] += g[k]²; w[ids[k]] −= rate · g[k] / √sum[ids[k]]
 *
 * Counts are 1 or more.
 * All sums are made in the same order everywhere: the instructions are exact, unlike a library that chooses by machine.
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

const I32 = 0x7f;
const F32 = 0x7d;
const F64 = 0x7c;
const V128 = 0x7b;
const NO_VALUE = 0x40;
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
/** Of 0 to 8191: a number with a sign, seven bits a byte, the lowest first. */
const constant = (value: number): number[] =>
  value < 64 ? [0x41, value] : [0x41, (value & 127) | 128, value >> 7];
const ADD = [0x6a];
const SUBTRACT = [0x6b];
const MULTIPLY = [0x6c];
const LOAD = [0x28, 2, 0];
const LOAD_FLOAT = [0x2a, 2, 0];
const LESS_UNSIGNED = [0x49];
const END = [0x0b];
const loop = (...body: number[][]): number[] => [0x03, NO_VALUE, ...body.flat(), ...END];
/** Again from the start of the innermost loop where the top of the stack is not 0. */
const AGAIN_IF = [0x0d, 0];
const STORE_FLOAT = [0x38, 2, 0];
const ADD_FLOATS = [0x92];
const PROMOTED = [0xbb];
const ADD_DOUBLES = [0xa0];
const ZEROS = [0xfd, 12, ...new Array<number>(16).fill(0)];
/** From, and to, so many bytes behind the place on the stack. */
const loadFour = (behind: number): number[] => [0xfd, 0, 4, behind];
const storeFour = (behind: number): number[] => [0xfd, 11, 4, behind];
const AND = [0x71];
/** One or the other, by whether the top of the stack is 0. */
const unless = (zero: number[], other: number[]): number[] => [
  ...[0x04, NO_VALUE],
  ...other,
  ...[0x05],
  ...zero,
  ...END,
];
const FOUR_TIMES = [0xfd, 19];
const ROOT_FOUR = [0xfd, 0xe3, 1];
const ADD_FOUR = [0xfd, 0xe4, 1];
const SUBTRACT_FOUR = [0xfd, 0xe5, 1];
const MULTIPLY_FOUR = [0xfd, 0xe6, 1];
const DIVIDE_FOUR = [0xfd, 0xe7, 1];
const lane = (n: number): number[] => [0xfd, 31, n];

/** Adds a number to a local. */
const advance = (local: number, by: number[]): number[] => [...get(local), ...by, ...ADD, ...set(local)];
/** The place `at` bytes behind where a local points. */
const place = (local: number, at: number): number[] => [...get(local), ...get(at), ...ADD];
/** Does something for every 16 bytes, given where they are; four at a time where that comes out even. */
const eachFour = (at: number, bytes: number, body: (four: Four, store: Store) => number[]): number[] => {
  const step = (behind: number): number[] =>
    body(
      (local) => [...place(local, at), ...loadFour(behind)],
      (local, value) => [...place(local, at), ...value, ...storeFour(behind)],
    );
  const steps = (behinds: readonly number[]): number[] =>
    loop(...behinds.map(step), advance(at, constant(16 * behinds.length)), [
      ...[...get(at), ...get(bytes), ...LESS_UNSIGNED, ...AGAIN_IF],
    ]);
  return [
    ...[...constant(0), ...set(at)],
    ...[...get(bytes), ...constant(48), ...AND],
    ...unless(steps([0, 16, 32, 48]), steps([0])),
  ];
};
/** Four numbers of the array that a local points at. */
type Four = (local: number) => number[];
/** Puts four numbers there. */
type Store = (local: number, value: number[]) => number[];
/** Sets a local to the row of a table that `ids` points at, and moves on to the next of them. */
const nextRow = (row: number, table: number, ids: number, bytes: number): number[] => [
  ...[...get(table), ...get(ids), ...LOAD, ...get(bytes), ...MULTIPLY, ...ADD, ...set(row)],
  ...advance(ids, constant(4)),
];
/** Sets a local to four times the number that `scales` points at, and moves on to the next of them. */
const nextScale = (scale: number, scales: number): number[] => [
  ...[...get(scales), ...LOAD_FLOAT, ...FOUR_TIMES, ...set(scale)],
  ...advance(scales, constant(4)),
];
/** Counts down, and again from the start of the innermost loop until 0. */
const again = (count: number): number[] => [
  ...[...get(count), ...constant(1), ...SUBTRACT, ...set(count)],
  ...[...get(count), ...AGAIN_IF],
];
/** y += scale · x of so many bytes. */
const addScaled = (y: number, scale: number, x: number, bytes: number, at: number): number[] =>
  eachFour(at, bytes, (four, store) =>
    store(y, [...four(y), ...get(scale), ...four(x), ...MULTIPLY_FOUR, ...ADD_FOUR]),
  );
/** The sum of the four numbers of a local. */
const total = (sum: number): number[] => [
  ...[...get(sum), ...lane(0), ...get(sum), ...lane(1), ...ADD_FLOATS],
  ...[...get(sum), ...lane(2), ...get(sum), ...lane(3), ...ADD_FLOATS, ...ADD_FLOATS],
];
/** The product of two arrays, into a local of four sums. */
const product = (x: number, y: number, bytes: number, at: number, sum: number): number[] => [
  ...[...ZEROS, ...set(sum)],
  ...eachFour(at, bytes, (four) => [
    ...[...get(sum), ...four(x), ...four(y), ...MULTIPLY_FOUR, ...ADD_FOUR, ...set(sum)],
  ]),
];

interface Written {
  readonly takes: readonly number[];
  readonly gives: readonly number[];
  /** Types of the locals that follow what it takes. */
  readonly locals: readonly number[];
  readonly body: readonly number[];
}

function products(): Written {
  const [x, table, rows, bytes, out, at, sum] = [0, 1, 2, 3, 4, 5, 6];
  const body = loop(
    product(x, table, bytes, at, sum),
    [...get(out), ...total(sum), ...STORE_FLOAT],
    [...advance(out, constant(4)), ...advance(table, get(bytes))],
    again(rows),
  );
  return { takes: [I32, I32, I32, I32, I32], gives: [], locals: [I32, V128], body };
}

function axpy(): Written {
  const [scale, x, y, bytes, at, four] = [0, 1, 2, 3, 4, 5];
  const body = [...[...get(scale), ...FOUR_TIMES, ...set(four)], ...addScaled(y, four, x, bytes, at)];
  return { takes: [F32, I32, I32, I32], gives: [], locals: [I32, V128], body };
}

function squares(): Written {
  const [table, rows, bytes, at, sum, all] = [0, 1, 2, 3, 4, 5];
  // By row, so that what is summed in float32 is short.
  const body = loop(
    product(table, table, bytes, at, sum),
    [...get(all), ...total(sum), ...PROMOTED, ...ADD_DOUBLES, ...set(all)],
    advance(table, get(bytes)),
    again(rows),
  );
  return { takes: [I32, I32, I32], gives: [F64], locals: [I32, V128, F64], body: [...body, ...get(all)] };
}

function dots(): Written {
  const [x, table, ids, count, bytes, out, row, at, sum] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const body = loop(
    nextRow(row, table, ids, bytes),
    product(x, row, bytes, at, sum),
    [...get(out), ...total(sum), ...STORE_FLOAT],
    advance(out, constant(4)),
    again(count),
  );
  return { takes: [I32, I32, I32, I32, I32, I32], gives: [], locals: [I32, I32, V128], body };
}

function gather(): Written {
  const [scales, table, ids, count, bytes, y, row, at, scale] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const body = loop(
    nextRow(row, table, ids, bytes),
    nextScale(scale, scales),
    addScaled(y, scale, row, bytes, at),
    again(count),
  );
  return { takes: [I32, I32, I32, I32, I32, I32], gives: [], locals: [I32, I32, V128], body };
}

function scatter(): Written {
  const [scales, x, table, ids, count, bytes, row, at, scale] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const body = loop(
    nextRow(row, table, ids, bytes),
    nextScale(scale, scales),
    addScaled(row, scale, x, bytes, at),
    again(count),
  );
  return { takes: [I32, I32, I32, I32, I32, I32], gives: [], locals: [I32, I32, V128], body };
}

function adagrad(): Written {
  const [w, sum, ids, count, bytes, g, rate, weights, sums, at, grown, rates] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
  ];
  const rows = loop(
    // Both of the same row.
    [...get(sum), ...get(ids), ...LOAD, ...get(bytes), ...MULTIPLY, ...ADD, ...set(sums)],
    nextRow(weights, w, ids, bytes),
    eachFour(at, bytes, (four, store) => [
      ...[...four(sums), ...four(g), ...four(g), ...MULTIPLY_FOUR, ...ADD_FOUR, ...set(grown)],
      ...store(sums, get(grown)),
      ...store(weights, [
        ...[...four(weights), ...get(rates), ...four(g), ...MULTIPLY_FOUR],
        ...[...get(grown), ...ROOT_FOUR, ...DIVIDE_FOUR, ...SUBTRACT_FOUR],
      ]),
    ]),
    advance(g, get(bytes)),
    again(count),
  );
  const body = [...get(rate), ...FOUR_TIMES, ...set(rates), ...rows];
  return {
    takes: [I32, I32, I32, I32, I32, I32, F32],
    gives: [],
    locals: [I32, I32, I32, V128, V128],
    body,
  };
}

const FUNCTIONS: Readonly<Record<keyof Kernels, Written>> = {
  products: products(),
  axpy: axpy(),
  squares: squares(),
  dots: dots(),
  gather: gather(),
  scatter: scatter(),
  adagrad: adagrad(),
};

/** A size as WebAssembly writes it: seven bits a byte, the lowest first. */
function size(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, ...size(n >> 7)];
}

const vector = (...entries: readonly number[][]): number[] => [...size(entries.length), ...entries.flat()];
const sized = (bytes: number[]): number[] => [...size(bytes.length), ...bytes];
const text = (name: string): number[] => sized([...Buffer.from(name)]);
const section = (id: number, body: number[]): number[] => [id, ...sized(body)];

const types = (list: readonly number[]): number[] => vector(...list.map((type) => [type]));
const all = Object.entries(FUNCTIONS);

const MODULE = new WebAssembly.Module(
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(...all.map(([, { takes, gives }]) => [0x60, ...types(takes), ...types(gives)]))),
    ...section(2, vector([...text('host'), ...text('memory'), 2, 0, 0])),
    ...section(3, vector(...all.map((_, n) => [n]))),
    ...section(7, vector(...all.map(([name], n) => [...text(name), 0, n]))),
    ...section(
      10,
      vector(
        ...all.map(([, { locals, body }]) =>
          sized([...vector(...locals.map((type) => [1, type])), ...body, ...END]),
        ),
      ),
    ),
  ]),
);

export interface Kernels {
  products(x: number, table: number, rows: number, bytes: number, out: number): void;
  axpy(scale: number, x: number, y: number, bytes: number): void;
  squares(table: number, rows: number, bytes: number): number;
  dots(x: number, table: number, ids: number, count: number, bytes: number, out: number): void;
  gather(scales: number, table: number, ids: number, count: number, bytes: number, y: number): void;
  scatter(scales: number, x: number, table: number, ids: number, count: number, bytes: number): void;
  adagrad(w: number, sum: number, ids: number, count: number, bytes: number, g: number, rate: number): void;
}

/** The functions over a memory. */
export function kernelsOver(memory: Memory): Kernels {
  return new WebAssembly.Instance(MODULE, { host: { memory } }).exports as Kernels;
}
