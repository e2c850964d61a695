import type * as tf from '@tensorflow/tfjs-core';
import type { Attribute, Held } from './attribute.js';
import type { Binding, NativeBackend, OpAttribute, TensorMetadata } from './binding.js';
import { attr, DT, type GraphBuilder } from './graph-def.js';

/** What cannot be part of a recorded graph, naming the operation. A model's mistake, never a user's. */
export class NotRecordable extends Error {}

/**
 * Records the ops that tfjs sends to the native binding as nodes of a graph, while they run.
 *
 * Tensors are known by their native id: inputs and variables are bound to graph references beforehand, results of recorded
 * ops follow, and anything else is a constant. Constants are kept in order, so that two recordings can be compared: one that
 * differs was made anew in JavaScript (a random tensor, a value of the batch) and must not be baked in.
 */
export class Recorder {
  private readonly references = new Map<number, string>();
  private readonly made = new Map<number, Held>();
  private readonly real: Binding;
  private readonly metadata = new Map<number, { shape: readonly number[]; dtype: number }>();
  /** Constants made while recording, in order, with the op that took them. */
  readonly constants: { readonly op: string; readonly held: Held }[] = [];

  constructor(
    private readonly backend: NativeBackend,
    private readonly graph: GraphBuilder,
    /** Constants that exist outside the recording, by native id: shared by all programs of a graph. */
    private readonly outside: Map<number, string>,
  ) {
    this.real = backend.binding;
  }

  bind(tensor: tf.TensorInfo, reference: string): void {
    this.references.set(this.idOf(tensor), reference);
  }

  /** The graph reference of a tensor. */
  reference(tensor: tf.TensorInfo): string {
    return this.resolve(this.idOf(tensor), 'a result');
  }

  private idOf(tensor: tf.TensorInfo): number {
    return this.backend.getInputTensorIds([tensor])[0]!;
  }

  /** Runs `work`, recording. */
  record<T>(work: () => T): T {
    const { backend } = this;
    const { real } = this;
    const originalIds = backend.getInputTensorIds;
    backend.binding = this.proxy(real);
    backend.getInputTensorIds = (tensors) => {
      const ids = originalIds.call(backend, tensors);
      ids.forEach((id, i) => {
        const { shape, dtype } = tensors[i]!;
        if (shape) this.metadata.set(id, { shape, dtype: dataType(dtype) });
      });
      return ids;
    };
    try {
      return work();
    } finally {
      backend.binding = real;
      delete (backend as Partial<NativeBackend>).getInputTensorIds;
    }
  }

  private proxy(real: Binding): Binding {
    const overrides: Partial<Binding> = {
      createTensor: (shape, dtype, data) => {
        const id = real.createTensor(shape, dtype, data);
        this.made.set(id, { dtype, shape: [...shape], data: bytesOf(dtype, data, real) });
        return id;
      },
      tensorDataSync: (id) => {
        if (this.made.has(id)) return real.tensorDataSync(id);
        const from = this.references.get(id) ?? 'a tensor';
        throw new NotRecordable(
          `the value of ${from} was read back while its step was being recorded: it would be baked in`,
        );
      },
      executeOp: (name, attributes, ids, outputs) => {
        const results = real.executeOp(name, attributes, ids, outputs);
        const inputs = ids.map((id) => this.resolve(id, name));
        const rank = results[0]?.shape.length;
        const node = this.graph.node(
          name,
          inputs,
          this.attributes(name, attributes, ids, real),
          undefined,
          rank,
        );
        results.forEach((result: TensorMetadata, i) => {
          this.references.set(result.id, `${node}:${i}`);
          this.metadata.set(result.id, { shape: result.shape, dtype: result.dtype });
        });
        return results;
      },
    };
    return { ...membersOf(real), ...overrides };
  }

  private resolve(id: number, op: string): string {
    const known = this.references.get(id) ?? this.outside.get(id);
    if (known !== undefined) return known;
    const made = this.made.get(id);
    const held = made ?? this.capture(id, op);
    const reference = this.graph.constant(held.dtype, held.shape, held.data);
    if (made) {
      this.constants.push({ op, held });
      this.references.set(id, reference);
    } else {
      this.outside.set(id, reference);
    }
    return reference;
  }

  /** A tensor that existed before the recording: a constant of the store, a frozen teacher's weight. */
  private capture(id: number, op: string): Held {
    const known = this.metadata.get(id);
    if (!known) throw new NotRecordable(`${op}: an input of unknown origin`);
    const values = this.real.tensorDataSync(id);
    const data = new Uint8Array(values.byteLength);
    data.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return { dtype: known.dtype, shape: known.shape, data };
  }

  private attributes(
    op: string,
    attributes: readonly OpAttribute[],
    ids: readonly number[],
    binding: Binding,
  ): Record<string, Attribute> {
    const out: Record<string, Attribute> = {};
    for (const { name, type, value } of attributes)
      out[name] = encodeAttribute(op, name, type, value, binding);
    // A NodeDef infers nothing: what tfjs leaves out must be filled in.
    if (op === 'ExpandDims') {
      out.T = attr.type(this.metadata.get(ids[0]!)!.dtype);
      out.Tdim = attr.type(DT.int32);
    }
    return out;
  }
}

/** The binding's members as a plain object: its own cannot be overwritten. */
function membersOf(real: Binding): Binding {
  const source = real as unknown as Record<string, unknown>;
  const names = [real, Object.getPrototypeOf(real) as object].flatMap((o) => Object.getOwnPropertyNames(o));
  const entries = names.map((name) => {
    const value = source[name];
    return [name, typeof value === 'function' ? (value as () => unknown).bind(real) : value] as const;
  });
  return Object.fromEntries(entries) as unknown as Binding;
}

function encodeAttribute(op: string, name: string, type: number, value: unknown, b: Binding): Attribute {
  switch (type) {
    case b.TF_ATTR_TYPE:
      return attr.type(value as number);
    case b.TF_ATTR_SHAPE:
      return attr.shape(value as number[]);
    case b.TF_ATTR_INT:
      return Array.isArray(value) ? attr.ints(value as number[]) : attr.int(value as number);
    case b.TF_ATTR_BOOL:
      return attr.bool(value as boolean);
    case b.TF_ATTR_FLOAT:
      return attr.float(value as number);
    case b.TF_ATTR_STRING:
      return attr.string(value as string);
    default:
      throw new NotRecordable(`${op}: attribute ${name} has an unsupported type`);
  }
}

function dataType(dtype: tf.DataType): number {
  if (dtype === 'float32') return DT.float;
  if (dtype === 'int32') return DT.int32;
  if (dtype === 'bool') return DT.bool;
  throw new NotRecordable(`a tensor of type ${dtype}`);
}

function bytesOf(dtype: number, data: unknown, b: Binding): Uint8Array {
  if (ArrayBuffer.isView(data))
    return new Uint8Array(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  const values = data as ArrayLike<number>;
  if (dtype === b.TF_FLOAT) return new Uint8Array(Float32Array.from(values).buffer);
  if (dtype === b.TF_BOOL) return Uint8Array.from(values);
  return new Uint8Array(Int32Array.from(values).buffer);
}

/** The op of the first constant that differs between two recordings of the same program, or undefined. */
export function differingConstant(a: Recorder, b: Recorder): string | undefined {
  if (a.constants.length !== b.constants.length) return 'the number of constants';
  for (const [i, first] of a.constants.entries()) {
    const second = b.constants[i]!;
    if (first.op !== second.op || Buffer.compare(first.held.data, second.held.data) !== 0) return first.op;
  }
  return undefined;
}
