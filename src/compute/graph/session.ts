import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietly } from '../native/quiet.js';
import type { Batch } from '../step.js';
import type { Binding, TensorMetadata } from './binding.js';
import { attr, DT, type GraphBuilder } from './graph-def.js';

/** A resource variable of the graph: its handle node and shape. */
export interface GraphVariable {
  readonly name: string;
  readonly handle: string;
  readonly shape: readonly number[];
}

/** Declares a float variable. */
export function declareVariable(graph: GraphBuilder, name: string, shape: readonly number[]): GraphVariable {
  const handle = graph.node(
    'VarHandleOp',
    [],
    {
      dtype: attr.type(DT.float),
      shape: attr.shape(shape),
      shared_name: attr.string(name),
      container: attr.string(''),
    },
    `variable/${name}`,
  );
  const float = { dtype: attr.type(DT.float) };
  graph.node('ReadVariableOp', [handle], float, `read/${name}`);
  const value = graph.node('Placeholder', [], { ...float, shape: attr.shape(shape) }, `value/${name}`);
  graph.node('AssignVariableOp', [handle, value], float, `assign/${name}`);
  return { name, handle, shape };
}

/** A variable that is empty between steps: the graph itself empties it. */
export interface ScratchVariable {
  readonly name: string;
  readonly handle: string;
  readonly dtype: number;
  /** Reference of the value that it is emptied with. */
  readonly empty: string;
}

/** Declares a variable that holds zeros of `shape` when empty; with `grows`, of any number of rows when not. */
export function declareScratch(
  graph: GraphBuilder,
  name: string,
  dtype: 'float' | 'int32',
  shape: readonly number[],
  grows: boolean,
): ScratchVariable {
  const type = DT[dtype];
  const handle = graph.node(
    'VarHandleOp',
    [],
    {
      dtype: attr.type(type),
      shape: attr.shape(grows ? [-1, ...shape.slice(1)] : shape),
      shared_name: attr.string(name),
      container: attr.string(''),
    },
    `variable/${name}`,
  );
  const size = graph.constant(DT.int32, [shape.length], new Uint8Array(Int32Array.from(shape).buffer));
  const zero = graph.constant(type, [], new Uint8Array(4));
  const fill = graph.node('Fill', [size, zero], { T: attr.type(type), index_type: attr.type(DT.int32) });
  const empty = `${fill}:0`;
  graph.node('AssignVariableOp', [handle, empty], { dtype: attr.type(type) }, `assign/${name}`);
  return { name, handle, dtype: type, empty };
}

/** A batch as native tensors by placeholder name; who asked deletes them. */
export function nativeBatch(
  binding: Binding,
  batch: Batch,
  placeholder: (input: string) => string,
): Map<string, number> {
  return new Map(
    Object.entries(batch).map(([name, { dtype, shape, data }]) => {
      const type = dtype === 'F32' ? binding.TF_FLOAT : binding.TF_INT32;
      return [placeholder(name), binding.createTensor(shape, type, data)] as const;
    }),
  );
}

const ASSIGNED = 'assigned';

/** One loaded graph: the only holder of its variables' values. */
export class Session {
  private readonly id: number;

  /** Loads the part of the graph that the roots and the variables need. */
  constructor(
    private readonly binding: Binding,
    graph: GraphBuilder,
    roots: readonly string[],
    private readonly variables: readonly GraphVariable[],
    scratch: readonly ScratchVariable[],
  ) {
    const folder = mkdtempSync(join(tmpdir(), 'recsys-graph-'));
    try {
      // One node that assigns all: each distinct set of fetched nodes costs TensorFlow an optimisation of the graph.
      if (!graph.has(ASSIGNED)) {
        const one = graph.constant(DT.float, [], new Uint8Array(Float32Array.of(1).buffer));
        const after = [...variables, ...scratch].map((v) => `^assign/${v.name}`);
        graph.node('Identity', [one, ...after], { T: attr.type(DT.float) }, ASSIGNED);
      }
      const all = [...roots, ASSIGNED, ...variables.map((v) => `read/${v.name}`)];
      writeFileSync(join(folder, 'saved_model.pb'), graph.savedModel(all));
      this.id = quietly(() => binding.loadSavedModel(folder, 'serve'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Runs nodes: native tensor ids in by placeholder name, host values out (in the order of `outputs`). */
  run(
    inputs: ReadonlyMap<string, number>,
    outputs: readonly string[],
  ): (Float32Array | Int32Array | Uint8Array)[] {
    const names = [...inputs.keys()].map((n) => `${n}:0`).join(',');
    const results = this.binding.runSavedModel(
      this.id,
      [...inputs.values()],
      names,
      outputs.map((n) => `${n}:0`).join(','),
    );
    return results.map((result: TensorMetadata) => {
      const data = this.binding.tensorDataSync(result.id);
      this.binding.deleteTensor(result.id);
      return data;
    });
  }

  /** Puts a value into every variable, and empties the others. */
  assignAll(values: (name: string) => Float32Array): void {
    const { binding } = this;
    const inputs = new Map(
      this.variables.map((v) => [
        `value/${v.name}`,
        binding.createTensor(v.shape, binding.TF_FLOAT, values(v.name)),
      ]),
    );
    quietly(() => this.run(inputs, [ASSIGNED]));
    for (const id of inputs.values()) binding.deleteTensor(id);
  }

  /** Values of variables, copied out. */
  readAll(names: readonly string[]): Map<string, Float32Array> {
    const values = this.run(
      new Map(),
      names.map((name) => `read/${name}`),
    );
    return new Map(names.map((name, i) => [name, Float32Array.from(values[i] as Float32Array)]));
  }

  dispose(): void {
    this.binding.deleteSavedModel(this.id);
  }
}
