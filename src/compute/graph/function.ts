import * as tf from '@tensorflow/tfjs-core';
import { uploadBatch } from '../eager-step.js';
import type { CompiledFunction, HostWork } from '../function.js';
import type { Batch } from '../step.js';
import type { NativeBackend } from './binding.js';
import { attr, DT, GraphBuilder } from './graph-def.js';
import { differingConstant, NotRecordable, Recorder } from './recorder.js';
import { Session } from './session.js';
import { shapeKey } from './shape.js';

interface FunctionProgram {
  readonly prefix: string;
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
  private readonly placeholders: string[] = [];
  private session: Session | undefined;

  constructor(
    private readonly work: HostWork,
    private readonly backend: NativeBackend,
  ) {}

  run(batch: Batch): Promise<ReadonlyMap<string, Float32Array>> {
    const { binding } = this.backend;
    const { prefix, outputs } = this.programs.get(shapeKey(batch)) ?? this.add(batch);
    const inputs = new Map(
      Object.entries(batch).map(([name, { dtype, shape, data }]) => {
        const type = dtype === 'F32' ? binding.TF_FLOAT : binding.TF_INT32;
        return [`${prefix}/${name}`, binding.createTensor(shape, type, data)] as const;
      }),
    );
    try {
      const values = this.session!.run(inputs, [...outputs.values()]);
      return Promise.resolve(
        new Map([...outputs.keys()].map((name, i) => [name, values[i] as Float32Array])),
      );
    } finally {
      for (const id of inputs.values()) binding.deleteTensor(id);
    }
  }

  private add(batch: Batch): FunctionProgram {
    const prefix = `program${this.programs.size}`;
    // Once unrecorded, so that everything outside is on the backend before it is recorded.
    const warm = uploadBatch(batch);
    tf.dispose(tf.tidy(() => ({ ...this.work(warm) })));
    tf.dispose(warm);
    // Once with other values, thrown away: what differs came out of the batch by way of JavaScript.
    const other = Object.fromEntries(
      Object.entries(batch).map(([name, t]) => [name, { ...t, data: t.data.slice().fill(0) }]),
    );
    const rehearsal = this.record(other, prefix, new GraphBuilder(), new Map());
    const { recorder, outputs } = this.record(batch, prefix, this.graph, this.outside);
    const differing = differingConstant(recorder, rehearsal.recorder);
    if (differing !== undefined)
      throw new NotRecordable(`an input of ${differing} is made in JavaScript of the values of the batch`);
    const program = { prefix, outputs };
    this.programs.set(shapeKey(batch), program);
    this.session?.dispose();
    const roots = [...this.programs.values()].flatMap((p) => [...p.outputs.values()]);
    this.session = new Session(this.backend.binding, this.graph, [...roots, ...this.placeholders], [], []);
    return program;
  }

  private record(batch: Batch, prefix: string, graph: GraphBuilder, outside: Map<number, string>) {
    const inputs = uploadBatch(batch);
    const recorder = new Recorder(this.backend, graph, outside);
    for (const [name, tensor] of Object.entries(inputs)) {
      const dtype = attr.type(tensor.dtype === 'float32' ? DT.float : DT.int32);
      const node = graph.node(
        'Placeholder',
        [],
        { dtype, shape: attr.shape(tensor.shape) },
        `${prefix}/${name}`,
      );
      recorder.bind(tensor, `${node}:0`);
      if (graph === this.graph) this.placeholders.push(node);
    }
    const outputs = new Map<string, string>();
    recorder.record(() =>
      tf.tidy(() => {
        for (const [name, tensor] of Object.entries(this.work(inputs))) {
          const reference = recorder.reference(tensor);
          outputs.set(
            name,
            graph.node('Identity', [reference], { T: attr.type(DT.float) }, `${prefix}/output/${name}`),
          );
        }
      }),
    );
    for (const tensor of Object.values(inputs)) tensor.dispose();
    return { recorder, outputs };
  }

  dispose(): void {
    this.session?.dispose();
    this.session = undefined;
    this.programs.clear();
  }
}
