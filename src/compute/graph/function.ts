import type { CompiledFunction, HostWork } from '../function.js';
import type { Batch } from '../step.js';
import type { NativeBackend } from './binding.js';
import { GraphBuilder } from './graph-def.js';
import { emptied, recordFunction, refuseDiffering, rehearse } from './record-function.js';
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
    const record = (batch: Batch, graph: GraphBuilder, outside: Map<number, string>) =>
      recordFunction(this.backend, graph, outside, this.work, batch, {
        input: (name) => `${prefix}/${name}`,
        output: (name) => `${prefix}/output/${name}`,
      });
    rehearse(this.work, batch);
    // Once with other values, thrown away.
    const other = record(emptied(batch), new GraphBuilder(), new Map());
    const recorded = record(batch, this.graph, this.outside);
    refuseDiffering(recorded, other);
    const program = {
      prefix,
      placeholders: [...recorded.placeholders.values()],
      outputs: recorded.outputs,
    };
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

  dispose(): void {
    this.session?.dispose();
    this.session = undefined;
    this.programs.clear();
  }
}
