import * as tf from '@tensorflow/tfjs-core';
import { uploadBatch } from '../eager-step.js';
import type { CompiledFunction, HostWork } from '../function.js';
import type { Batch, Inputs } from '../step.js';
import type { NativeBackend } from './binding.js';
import { attr, DT, GraphBuilder } from './graph-def.js';
import { differingConstant, NotRecordable, Recorder } from './recorder.js';
import { nativeBatch, Session } from './session.js';
import { shapeKey } from './shape.js';

interface FunctionProgram {
  readonly prefix: string;
  readonly placeholders: readonly string[];
  /** Output nodes, by the names the work gave them. */
  readonly outputs: ReadonlyMap<string, string>;
}

/**
 * A function recorded as a TensorFlow graph, one program an input shape, all in one session. What it reads besides its inputs
 * (a model's weights) is frozen into the graph, so that TensorFlow computes once what follows from it alone.
 */
export class GraphFunction implements CompiledFunction {
  private readonly graph = new GraphBuilder();
  private readonly outside = new Map<number, string>();
  private readonly programs = new Map<string, FunctionProgram>();
  private recordings = 0;
  private session: Session | undefined;

  constructor(
    private readonly work: HostWork,
    private readonly backend: NativeBackend,
  ) {}

  async run(batch: Batch): Promise<ReadonlyMap<string, Float32Array>> {
    const { binding } = this.backend;
    const { prefix, outputs } = this.programs.get(shapeKey(batch)) ?? this.add(batch);
    const inputs = nativeBatch(binding, batch, (name) => `${prefix}/${name}`);
    try {
      const values = this.session!.run(inputs, [...outputs.values()]);
      return new Map([...outputs.keys()].map((name, i) => [name, values[i] as Float32Array]));
    } finally {
      for (const id of inputs.values()) binding.deleteTensor(id);
    }
  }

  private add(batch: Batch): FunctionProgram {
    const prefix = `program${this.recordings++}`;
    // Once unrecorded, so that everything outside is on the backend before it is recorded.
    withInputs(batch, (inputs) => tf.dispose(tf.tidy(() => ({ ...this.work(inputs) }))));
    // Once with other values, thrown away: what differs came out of the batch by way of JavaScript.
    const other = Object.fromEntries(
      Object.entries(batch).map(([name, t]) => [name, { ...t, data: t.data.slice().fill(0) }]),
    );
    const rehearsal = this.record(other, prefix, new GraphBuilder(), new Map());
    const { recorder, program } = this.record(batch, prefix, this.graph, this.outside);
    const differing = differingConstant(recorder, rehearsal.recorder);
    if (differing !== undefined)
      throw new NotRecordable(`an input of ${differing} is made in JavaScript of the values of the batch`);
    const roots = [...this.programs.values(), program].flatMap(({ placeholders, outputs }) => [
      ...placeholders,
      ...outputs.values(),
    ]);
    const session = new Session(this.backend.binding, this.graph, roots, [], []);
    this.session?.dispose();
    this.session = session;
    this.programs.set(shapeKey(batch), program);
    return program;
  }

  private record(batch: Batch, prefix: string, graph: GraphBuilder, outside: Map<number, string>) {
    return withInputs(batch, (inputs) => {
      const recorder = new Recorder(this.backend, graph, outside);
      const placeholders = Object.entries(inputs).map(([name, tensor]) => {
        const dtype = attr.type(tensor.dtype === 'float32' ? DT.float : DT.int32);
        const shape = attr.shape(tensor.shape);
        const node = graph.node('Placeholder', [], { dtype, shape }, `${prefix}/${name}`);
        recorder.bind(tensor, `${node}:0`);
        return node;
      });
      const outputs = new Map<string, string>();
      recorder.record(() =>
        tf.tidy(() => {
          for (const [name, tensor] of Object.entries(this.work(inputs))) {
            const node = [recorder.reference(tensor)];
            const T = attr.type(DT.float);
            outputs.set(name, graph.node('Identity', node, { T }, `${prefix}/output/${name}`));
          }
        }),
      );
      return { recorder, program: { prefix, placeholders, outputs } };
    });
  }

  dispose(): void {
    this.session?.dispose();
    this.session = undefined;
    this.programs.clear();
  }
}

function withInputs<T>(batch: Batch, work: (inputs: Inputs) => T): T {
  const inputs = uploadBatch(batch);
  try {
    return work(inputs);
  } finally {
    tf.dispose(inputs);
  }
}
