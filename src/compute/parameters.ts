import * as tf from '@tensorflow/tfjs-core';
import { RecsysError } from '../errors.js';
import type { HostTensor, TensorMap } from '../types.js';
import { gatherRows } from './gather.js';
import { saver } from './ops/kernel.js';

/** Initial value of one parameter. */
export interface ParameterInit {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** An embedding table of which a batch may touch few rows; held by rows when the store is asked to. */
  readonly table: boolean;
  /** Rows follow this vocabulary and grow with it; row 0 is padding. */
  readonly grows?: Vocabulary;
  /** A checkpoint of the model without it may be continued: it begins with its initial value, which changes nothing. */
  readonly added?: true;
  /** Whole numbers from 0, below this (at most 2²⁴): saved and read, as int32, but never trained. */
  readonly fixed?: { readonly below: number };
}
export type Vocabulary = 'users' | 'items' | 'behaviours' | 'itemTokens' | 'userTokens';
export type ParameterInits = Map<string, ParameterInit>;

/** How a model reads its parameters and constants. */
export interface Params {
  /** The whole parameter or constant. */
  get(name: string): tf.Tensor;
  /** Rows: int32 ids of any shape → [...ids.shape, width]. */
  lookup(name: string, ids: tf.Tensor): tf.Tensor;
}

/** Tensors that a function reads besides its inputs and that may be others at each run, by name: of the same shapes each time. */
export type HeldTensors = () => Readonly<Record<string, tf.Tensor>>;

/** Parameters as tensors, as they are at the time. */
export interface HeldParams {
  readonly params: Params;
  /** All that steps change, by name. */
  readonly tensors: HeldTensors;
}

/** An embedding table held as rows in host memory: a step costs by the rows it touches, not by the table's size. */
export interface Table {
  readonly rows: number;
  readonly width: number;
  readonly data: Float32Array;
}

/** Gradients of table rows, one entry a lookup, before ids are merged. Tensors are kept; the step disposes them. */
export interface RowGradient {
  readonly name: string;
  readonly ids: Int32Array;
  readonly gradient: tf.Tensor;
  /** The ids as an int32 tensor [n], where the lookup is recorded into a graph. */
  readonly idsTensor?: tf.Tensor;
  /** Which of a pass's lookups of tables it is of, from 0; gradients come in another order. */
  readonly lookup?: number;
}

/**
 * A model's parameters on the active backend: dense ones as variables, tables (when `sparseTables`) as host rows.
 * Constants (attribute encodings and the like) are readable like parameters, but neither trained nor saved.
 */
export class ParameterStore {
  /** Who holds newer values than the store (a recorded step's session): asked before any read, told of any load. */
  holder?: { pull(): void; drop(): void };
  readonly variables = new Map<string, tf.Variable>();
  readonly tables = new Map<string, Table>();
  /** What is saved like a variable, and stays as it is. */
  private readonly fixed = new Map<string, HostTensor>();
  private readonly constants = new Map<string, tf.Tensor>();

  constructor(
    inits: ParameterInits,
    constants: TensorMap = new Map(),
    options: { sparseTables?: boolean } = {},
  ) {
    for (const [name, init] of inits) {
      if (init.fixed) {
        const whole = hostTensor(init);
        this.fixed.set(name, whole);
        this.constants.set(name, upload(whole));
      } else if (init.table && options.sparseTables) {
        const [rows, width] = init.shape as [number, number];
        this.tables.set(name, { rows, width, data: Float32Array.from(init.data) });
      } else {
        const value = tf.tensor(init.data, [...init.shape], 'float32');
        this.variables.set(name, tf.variable(value, true));
        value.dispose();
      }
    }
    for (const [name, constant] of constants) this.constants.set(name, upload(constant));
  }

  /** Parameters as a model reads them outside training. Whole tables are uploaded on each `get`: cache the result. */
  reader(): Params {
    return {
      get: (name) => this.whole(name),
      lookup: (name, ids) => {
        this.holder?.pull();
        const table = this.tables.get(name);
        return table ? hostRows(table, ids) : embeddingLookup(this.whole(name), ids);
      },
    };
  }

  /** Parameters as the loss reads them inside a gradient tape; each table lookup appends its gradient to `sink`. */
  recorder(anchor: tf.Variable, sink: RowGradient[]): Params {
    let lookups = 0;
    return {
      get: (name) => {
        if (this.tables.has(name))
          throw new Error(`table ${name} is held by rows: a loss must not read it whole`);
        return this.whole(name);
      },
      lookup: (name, ids) => {
        const table = this.tables.get(name);
        return table
          ? recordedLookup(name, table, ids, anchor, sink, lookups++)
          : embeddingLookup(this.whole(name), ids);
      },
    };
  }

  /**
   * Parameters as a loss reads them while its step is recorded into a graph: table rows are stand-ins (zeros) that
   * `onLookup` binds to the graph's own gather of the flat ids.
   */
  graphRecorder(
    anchor: tf.Variable,
    sink: RowGradient[],
    onLookup: (table: string, rows: tf.Tensor, ids: tf.Tensor) => void,
  ): Params {
    const dense = this.recorder(anchor, sink);
    let lookups = 0;
    return {
      get: dense.get,
      lookup: (name, ids) => {
        const table = this.tables.get(name);
        if (!table) return dense.lookup(name, ids);
        const lookup = lookups++;
        const idsTensor = tf.keep(tf.reshape(ids, [ids.size]));
        const op = tf.customGrad(() => {
          const value = tf.zeros([ids.size, table.width]);
          onLookup(name, value, idsTensor);
          return {
            value,
            gradFunc: (dy: tf.Tensor | tf.Tensor[]) => {
              const gradient = tf.keep(tf.clone(dy as tf.Tensor));
              sink.push({ name, ids: new Int32Array(0), gradient, idsTensor, lookup });
              return tf.scalar(0);
            },
          };
        });
        return tf.reshape(op(anchor), [...ids.shape, table.width]);
      },
    };
  }

  whole(name: string): tf.Tensor {
    this.holder?.pull();
    const held = this.variables.get(name) ?? this.constants.get(name);
    if (held) return held;
    const table = this.tables.get(name);
    if (!table) throw new Error(`no parameter or constant named ${name}`);
    return tf.tensor2d(table.data, [table.rows, table.width]);
  }

  /** All parameters, copied to host memory. */
  async export(): Promise<TensorMap> {
    this.holder?.pull();
    const out: TensorMap = new Map();
    for (const [name, v] of this.variables) {
      out.set(name, { dtype: 'F32', shape: v.shape, data: Float32Array.from(await v.data()) });
    }
    for (const [name, t] of this.tables) {
      out.set(name, { dtype: 'F32', shape: [t.rows, t.width], data: Float32Array.from(t.data) });
    }
    for (const [name, whole] of this.fixed) out.set(name, whole);
    return out;
  }

  /**
   * Replaces all parameters that are not fixed. Throws CHECKPOINT_INCOMPATIBLE naming the tensor, what was expected and found, also
   * for other fixed values than the store's.
   */
  load(tensors: TensorMap): void {
    this.holder?.drop();
    const check = (name: string, shape: readonly number[]): Float32Array => {
      const t = tensors.get(name);
      if (!t) throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `tensor "${name}" [${shape}] is missing`);
      if (t.dtype !== 'F32' || t.shape.join() !== shape.join()) {
        throw new RecsysError(
          'CHECKPOINT_INCOMPATIBLE',
          `tensor "${name}": expected F32 [${shape}], found ${t.dtype} [${t.shape}]`,
        );
      }
      return t.data as Float32Array;
    };
    for (const [name, v] of this.variables) {
      const data = check(name, v.shape);
      tf.tidy(() => v.assign(tf.tensor(data, v.shape)));
    }
    for (const [name, t] of this.tables) t.data.set(check(name, [t.rows, t.width]));
    for (const [name, { data }] of this.fixed) {
      const found = tensors.get(name)?.data;
      if (found?.length !== data.length || found.some((value, i) => value !== data[i]))
        throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `tensor "${name}" is not that of this model`);
    }
  }

  dispose(): void {
    for (const v of this.variables.values()) v.dispose();
    for (const c of this.constants.values()) c.dispose();
    this.variables.clear();
    this.constants.clear();
    this.fixed.clear();
    this.tables.clear();
  }
}

/** A parameter's values as they are stored. */
export function hostTensor({ shape, data, fixed }: ParameterInit): HostTensor {
  return fixed ? { dtype: 'I32', shape, data: Int32Array.from(data) } : { dtype: 'F32', shape, data };
}

/** Uploads a host tensor. The caller owns the result. */
export function upload(t: HostTensor): tf.Tensor {
  return tf.tensor(t.data, [...t.shape], t.dtype === 'F32' ? 'float32' : 'int32');
}

/**
 * Rows of a dense matrix [V, D] for int32 ids of any shape → [...ids.shape, D].
 * The gradient is a scatter-add (`scatterND`), since tfjs's own needs UnsortedSegmentSum, which wasm lacks.
 */
export function embeddingLookup(table: tf.Tensor, ids: tf.Tensor): tf.Tensor {
  const [rows, width] = table.shape as [number, number];
  const n = ids.size;
  const op = tf.customGrad((x, save) => {
    const flat = tf.reshape(ids, [n]);
    saver(save)([flat]);
    return {
      value: gatherRows(x as tf.Tensor, flat),
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        tf.scatterND(tf.reshape(saved[0]!, [n, 1]), dy as tf.Tensor, [rows, width]),
    };
  });
  return tf.reshape(op(table), [...ids.shape, width]);
}

function hostRows(table: Table, ids: tf.Tensor): tf.Tensor {
  return tf.tensor(copyRows(table, ids.dataSync() as Int32Array), [...ids.shape, table.width], 'float32');
}

/** Rows of a table, [ids × width]. */
export function copyRows(table: Table, ids: Int32Array): Float32Array {
  const { width, data } = table;
  const out = new Float32Array(ids.length * width);
  for (let i = 0; i < ids.length; i++) {
    const from = ids[i]! * width;
    out.set(data.subarray(from, from + width), i * width);
  }
  return out;
}

/**
 * A lookup in a table that is a tensor, whose gradient is recorded by rows. What is recorded is kept: ids [n] and gradient [n × width], to be disposed by
 * whoever takes it.
 */
export function gatheredLookup(
  name: string,
  table: tf.Tensor,
  ids: tf.Tensor,
  anchor: tf.Variable,
  sink: RowGradient[],
): tf.Tensor {
  const width = table.shape[1]!;
  const idsTensor = tf.keep(tf.reshape(ids, [ids.size]));
  const op = tf.customGrad(() => ({
    value: gatherRows(table, idsTensor),
    gradFunc: (dy: tf.Tensor | tf.Tensor[]) => {
      sink.push({ name, ids: new Int32Array(0), gradient: tf.keep(tf.clone(dy as tf.Tensor)), idsTensor });
      return tf.scalar(0);
    },
  }));
  return tf.reshape(op(anchor), [...ids.shape, width]);
}

/** A lookup whose gradient is recorded by rows: the scalar anchor only makes the tape reach it. */
function recordedLookup(
  name: string,
  table: Table,
  ids: tf.Tensor,
  anchor: tf.Variable,
  sink: RowGradient[],
  lookup: number,
): tf.Tensor {
  const host = Int32Array.from(ids.dataSync());
  const op = tf.customGrad(() => ({
    value: tf.tensor(copyRows(table, host), [host.length, table.width], 'float32'),
    gradFunc: (dy: tf.Tensor | tf.Tensor[]) => {
      sink.push({ name, ids: host, gradient: tf.keep(tf.clone(dy as tf.Tensor)), lookup });
      return tf.scalar(0);
    },
  }));
  return tf.reshape(op(anchor), [...ids.shape, table.width]);
}
