import * as tf from '@tensorflow/tfjs-core';
import type { Attribute, Attributes } from './attribute.js';
import { attr, DT, type GraphBuilder } from './graph-def.js';
import type { Recorded, RecordParts } from './program.js';
import { Recorder } from './recorder.js';
import type { ScratchVariable } from './session.js';

const FLOAT = attr.type(DT.float);
const INT = attr.type(DT.int32);

/** Tensors fed to a program, by placeholder. */
export type Fed = Readonly<Record<string, tf.Tensor>>;

/** What a program's work gives: its outputs, in order, and the parameters it has gradients of. */
interface Work {
  readonly outputs: Readonly<Record<string, tf.Tensor>>;
  readonly reached: ReadonlySet<string>;
}

/**
 * Writes one program: what tfjs computes is recorded, and what it has no ops for (variables, rows by id) is added by hand.
 * Tensors of hand-made nodes are stand-ins: what counts is the graph reference they are bound to.
 */
export class ProgramWriter {
  /** False in a warm-up: the same work is done and nothing is written. */
  readonly writing: boolean;
  private readonly recorder: Recorder;
  private readonly graph: GraphBuilder;
  private readonly handles: ReadonlyMap<string, string>;
  private readonly scratch: ReadonlyMap<string, ScratchVariable>;
  private readonly reads = new Map<string, string>();
  /** Control edges: what must have happened when the program's outputs are there. */
  private readonly done: string[] = [];
  /** Control edges of nodes that come after every use of the weights. */
  private barrier: string[] = [];

  constructor(private readonly parts: RecordParts) {
    this.graph = parts.graph;
    this.recorder = new Recorder(parts.backend, parts.graph, parts.outside);
    this.writing = parts.variables.length > 0;
    this.handles = new Map([...parts.variables, ...parts.scratch].map((v) => [v.name, v.handle]));
    this.scratch = new Map(parts.scratch.map((v) => [v.name, v]));
  }

  /** Records `work` on its inputs, which are disposed; it gives the outputs by name, in order. */
  program(fed: Fed, work: () => Work): Recorded {
    const { prefix } = this.parts;
    const placeholder = (input: string): string => `${prefix}/${input}`;
    const outputs: string[] = [];
    let reached: ReadonlySet<string> = new Set();
    const run = (): void =>
      tf.tidy(() => {
        const done = work();
        reached = done.reached;
        if (!this.writing) return;
        for (const [name, tensor] of Object.entries(done.outputs)) {
          const inputs = [this.reference(tensor), ...this.done];
          outputs.push(this.graph.node('Identity', inputs, { T: FLOAT }, placeholder(name)));
        }
      });
    if (this.writing) {
      this.feed(fed, placeholder);
      this.recorder.record(run);
    } else run();
    tf.dispose({ ...fed });
    const roots = [...outputs, ...Object.keys(fed).map(placeholder)];
    return { program: { placeholder, outputs, roots }, recorder: this.recorder, reached };
  }

  private feed(fed: Fed, placeholder: (input: string) => string): void {
    for (const [input, tensor] of Object.entries(fed)) {
      const dtype = attr.type(tensor.dtype === 'float32' ? DT.float : DT.int32);
      const shape = attr.shape(tensor.shape);
      this.bind(tensor, `${this.graph.node('Placeholder', [], { dtype, shape }, placeholder(input))}:0`);
    }
  }

  bind(tensor: tf.Tensor, reference: string): void {
    this.recorder.bind(tensor, reference);
  }

  reference(tensor: tf.Tensor): string {
    return this.recorder.reference(tensor);
  }

  /** Adds a node; gives the reference of its first output. */
  node(op: string, inputs: readonly string[], attributes: Attributes): string {
    return `${this.graph.node(op, inputs, attributes)}:0`;
  }

  /** A whole number, or several in a list. */
  int(value: number | readonly number[]): string {
    if (typeof value === 'number') return this.constant(`int/${value}`, DT.int32, [], Int32Array.of(value));
    return this.constant(`ints/${value.join('.')}`, DT.int32, [value.length], Int32Array.from(value));
  }

  float(value: number): string {
    return this.constant(`float/${value}`, DT.float, [], Float32Array.of(value));
  }

  private constant(
    name: string,
    dtype: number,
    shape: readonly number[],
    data: Float32Array | Int32Array,
  ): string {
    if (!this.graph.has(name)) {
      const value = attr.tensor(dtype, shape, new Uint8Array(data.buffer));
      this.graph.node('Const', [], { dtype: attr.type(dtype), value }, name);
    }
    return `${name}:0`;
  }

  /** A variable's value as it was before the program changes it: one read a program. */
  read(variable: string): string {
    const known = this.reads.get(variable);
    if (known !== undefined) return `${known}:0`;
    const name = `${this.parts.prefix}/read/${variable}`;
    const dtype = this.type(variable);
    this.reads.set(variable, this.graph.node('ReadVariableOp', [this.handle(variable)], { dtype }, name));
    return `${name}:0`;
  }

  /** Binds a tensor to a variable's value after these changes. */
  readAfter(variable: string, changes: readonly string[], tensor: tf.Tensor): void {
    const inputs = [this.handle(variable), ...changes];
    this.bind(tensor, this.node('ReadVariableOp', inputs, { dtype: this.type(variable) }));
  }

  /** Binds a tensor to rows of a variable; gives the node. */
  gather(variable: string, ids: string, tensor: tf.Tensor): string {
    const rows = this.node('ResourceGather', [this.handle(variable), ids], {
      dtype: FLOAT,
      Tindices: INT,
      batch_dims: attr.int(0),
      validate_indices: attr.bool(true),
    });
    this.bind(tensor, rows);
    return rows;
  }

  /** From here on, variables change only once these tensors are there: between them, they come after every use of the values. */
  changesFollow(tensors: readonly tf.Tensor[]): void {
    if (this.writing) this.barrier = tensors.map((t) => edge(this.reference(t)));
  }

  /** Adds a node that changes variables, after their reads; gives the control edge to it. */
  change(
    op: string,
    variables: readonly string[],
    inputs: readonly string[],
    attributes: Attributes,
  ): string {
    const reads = variables.flatMap((v) => (this.reads.has(v) ? [`^${this.reads.get(v)}`] : []));
    const handles = variables.map((v) => this.handle(v));
    const after = new Set([...inputs.filter((i) => i.startsWith('^')), ...reads, ...this.barrier]);
    const data = inputs.filter((i) => !i.startsWith('^'));
    const change = edge(this.node(op, [...handles, ...data, ...after], attributes));
    this.done.push(change);
    return change;
  }

  assign(variable: string, tensor: tf.Tensor): string {
    return this.change('AssignVariableOp', [variable], [this.reference(tensor)], {
      dtype: this.type(variable),
    });
  }

  /** Empties a scratch variable. */
  empty(variable: string): void {
    const { empty } = this.scratch.get(variable)!;
    this.change('AssignVariableOp', [variable], [empty], { dtype: this.type(variable) });
  }

  private handle(variable: string): string {
    const handle = this.handles.get(variable);
    if (handle === undefined) throw new Error(`graph: no variable named ${variable}`);
    return handle;
  }

  private type(variable: string): Attribute {
    return attr.type(this.scratch.get(variable)?.dtype ?? DT.float);
  }
}

/** The control edge to a reference's node. */
export function edge(reference: string): string {
  return `^${reference.split(':')[0]!}`;
}
