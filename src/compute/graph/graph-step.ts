import * as tf from '@tensorflow/tfjs-core';
import type { TensorMap } from '../../types.js';
import { randomKey } from '../dropout.js';
import type { EagerStep } from '../eager-step.js';
import type { Batch, CompiledStep, StepOptions, StepResult } from '../step.js';
import type { NativeBackend } from './binding.js';
import { GraphBuilder } from './graph-def.js';
import type { Program } from './program.js';
import { differingConstant, NotRecordable, type Recorder } from './recorder.js';
import { declareVariable, type GraphVariable, Session } from './session.js';
import { recordProgram } from './train-program.js';

/**
 * A training step recorded as a TensorFlow graph. Each batch shape is one program; all programs are subgraphs of one graph
 * in one session, which holds the weights and the optimizer state. A new shape is recorded when it first comes: then the
 * state is read back, the graph is loaded anew, and the state put in again.
 */
export class GraphStep implements CompiledStep {
  private graph = new GraphBuilder();
  private readonly outside = new Map<number, string>();
  private readonly programs = new Map<string, Program>();
  private readonly variables: GraphVariable[] = [];
  private session: Session | undefined;
  /** The session's values are newer than the store's. */
  private ahead = false;

  constructor(
    private readonly options: StepOptions,
    private readonly eager: EagerStep,
    private readonly backend: NativeBackend,
  ) {
    for (const [name, data] of this.state())
      this.variables.push(declareVariable(this.graph, name, data.shape));
    options.store.holder = { pull: () => this.sync(), drop: () => this.drop() };
  }

  get count(): number {
    return this.eager.count;
  }

  async run(microBatches: readonly Batch[], learningRate: number): Promise<StepResult> {
    const [batch, second] = microBatches;
    if (!batch || second)
      throw new Error('a recorded step takes exactly one batch: declare `accumulate` for more');
    const program = this.program(batch);
    this.eager.count++;
    const rate = this.options.optimizer.rate(learningRate, this.count);
    const { binding } = this.backend;
    const inputs = new Map<string, number>();
    for (const [name, t] of Object.entries(batch)) {
      const dtype = t.dtype === 'F32' ? binding.TF_FLOAT : binding.TF_INT32;
      inputs.set(program.placeholder(name), binding.createTensor(t.shape, dtype, t.data));
    }
    inputs.set(
      program.placeholder('rate'),
      binding.createTensor([], binding.TF_FLOAT, Float32Array.of(rate)),
    );
    const random = randomKey(this.options.seed, this.count, 0);
    inputs.set(program.placeholder('random'), binding.createTensor([2], binding.TF_INT32, random));
    const [loss, norm] = this.session!.run(inputs, [program.loss, program.norm]);
    for (const id of inputs.values()) binding.deleteTensor(id);
    this.ahead = true;
    return { loss: loss![0]!, gradientNorm: norm![0]! };
  }

  prepare(batches: readonly Batch[]): number {
    const fresh = batches.filter((b) => !this.programs.has(shapeKey(b)));
    if (fresh.length === 0 && this.session) return 0;
    this.sync();
    for (const batch of fresh) this.programs.set(shapeKey(batch), this.record(batch));
    this.open();
    return fresh.length;
  }

  private program(batch: Batch): Program {
    if (!this.session || !this.programs.has(shapeKey(batch))) this.prepare([batch]);
    return this.programs.get(shapeKey(batch))!;
  }

  private record(batch: Batch): Program {
    const prefix = `program${this.programs.size}`;
    const parts = { options: this.options, eager: this.eager, backend: this.backend, batch };
    // Once without a recorder, so that everything that lives outside the step is on the backend before it is recorded.
    recordProgram({
      ...parts,
      graph: new GraphBuilder(),
      outside: new Map(),
      prefix,
      step: 1,
      variables: [],
    });
    const shadow = this.rehearse(parts, prefix);
    const { program, recorder } = recordProgram({
      ...parts,
      graph: this.graph,
      outside: this.outside,
      prefix,
      step: 1,
      variables: this.variables,
    });
    const differing = differingConstant(recorder, shadow);
    if (differing !== undefined) {
      throw new NotRecordable(
        `an input of ${differing} is made in JavaScript and differs from step to step: recorded, it would be frozen (random numbers must come from \`pass\`, values of the batch from its tensors)`,
      );
    }
    return program;
  }

  /** The same program at another step, in a graph that is thrown away: for comparing what got baked in. */
  private rehearse(
    parts: { options: StepOptions; eager: EagerStep; backend: NativeBackend; batch: Batch },
    prefix: string,
  ): Recorder {
    const graph = new GraphBuilder();
    const variables = this.variables.map((v) => declareVariable(graph, v.name, v.shape));
    return recordProgram({ ...parts, graph, outside: new Map(), prefix, step: 2, variables }).recorder;
  }

  /** Loads the graph as it is now and puts the store's values in. */
  private open(): void {
    this.session?.dispose();
    const roots = [...this.programs.values()].flatMap((p) => p.roots);
    this.session = new Session(this.backend.binding, this.graph, roots, this.variables);
    const state = this.state();
    this.session.assignAll((name) => state.get(name)!.read());
    this.ahead = false;
  }

  /** Where each variable's value lives outside the session. */
  private state(): Map<
    string,
    { shape: readonly number[]; read(): Float32Array; write(data: Float32Array): void }
  > {
    const { store, optimizer } = this.options;
    const out = new Map<
      string,
      { shape: readonly number[]; read(): Float32Array; write(data: Float32Array): void }
    >();
    const dense = (name: string, v: tf.Variable): void => {
      out.set(name, {
        shape: v.shape,
        read: () => v.dataSync() as Float32Array,
        write: (data) => tf.tidy(() => v.assign(tf.tensor(data, v.shape))),
      });
    };
    const host = (name: string, shape: readonly number[], array: Float32Array): void => {
      out.set(name, { shape, read: () => array, write: (data) => array.set(data) });
    };
    for (const [name, v] of store.variables) dense(name, v);
    for (const [name, slots] of this.eager.slots) {
      slots.forEach((v, k) => {
        dense(`${name}/${optimizer.slots[k]!.name}`, v);
      });
    }
    for (const [name, t] of store.tables) host(name, [t.rows, t.width], t.data);
    for (const [name, slots] of this.eager.tableSlots) {
      const { rows, width } = store.tables.get(name)!;
      slots.forEach((a, k) => {
        host(`${name}/${optimizer.slots[k]!.name}`, [rows, width], a);
      });
    }
    return out;
  }

  private sync(): void {
    if (!this.ahead || !this.session) return;
    const values = this.session.readAll();
    for (const [name, place] of this.state()) place.write(values.get(name)!);
    this.ahead = false;
  }

  async evaluate(batch: Batch): Promise<number> {
    this.sync();
    return this.eager.evaluate(batch);
  }

  async export(): Promise<TensorMap> {
    this.sync();
    return this.eager.export();
  }

  load(state: TensorMap): void {
    this.sync();
    this.eager.load(state);
    this.drop();
  }

  /** Forgets the session: the values outside it are taken anew at the next step. */
  private drop(): void {
    this.ahead = false;
    this.session?.dispose();
    this.session = undefined;
  }

  dispose(): void {
    this.sync();
    this.drop();
    delete this.options.store.holder;
    this.eager.dispose();
  }
}

/** Batches with equal keys run the same program. */
function shapeKey(batch: Batch): string {
  return Object.entries(batch)
    .map(([name, t]) => `${name}${t.dtype}[${t.shape}]`)
    .join(' ');
}
