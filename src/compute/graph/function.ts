import type { CompiledFunction, HostWork } from '../function.js';
import type { HeldTensors } from '../parameters.js';
import type { Batch } from '../step.js';
import type { NativeBackend } from './binding.js';
import { GraphBuilder } from './graph-def.js';
import { emptied, recordFunction, refuseDiffering, rehearse } from './record-function.js';
import { nativeBatch, Session } from './session.js';
import { shapeKey } from './shape.js';

interface FunctionProgram {
  readonly prefix: string;
  readonly placeholders: readonly string[];
  /** Nodes that stand for what is held, by its names. */
  readonly held: ReadonlyMap<string, string>;
  /** Output nodes, by the names the work gave them. */
  readonly outputs: ReadonlyMap<string, string>;
}

/**
 * A function recorded as a TensorFlow graph, one program an input shape, all in one session. What it reads besides its inputs
 * (a model's weights) is frozen into the graph, so that TensorFlow computes once what follows from it alone; what is held is given to each run.
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
    private readonly held: HeldTensors = () => ({}),
  ) {}

  async run(batch: Batch): Promise<ReadonlyMap<string, Float32Array>> {
    const { backend } = this;
    const { binding } = backend;
    if (!this.programs.has(shapeKey(batch))) this.open([[shapeKey(batch), this.record(batch)]]);
    const { prefix, held, outputs } = this.programs.get(shapeKey(batch))!;
    const inputs = nativeBatch(binding, batch, (name) => `${prefix}/${name}`);
    const given = new Map(inputs);
    for (const [name, tensor] of Object.entries(this.held()))
      given.set(held.get(name)!, backend.getInputTensorIds([tensor])[0]!);
    try {
      const values = this.session!.run(given, [...outputs.values()]);
      return new Map([...outputs.keys()].map((name, i) => [name, values[i] as Float32Array]));
    } finally {
      for (const id of inputs.values()) binding.deleteTensor(id);
    }
  }

  async prepare(batches: readonly Batch[], pause: () => Promise<void>): Promise<void> {
    const recorded = new Map<string, FunctionProgram>();
    for (const batch of batches) {
      const key = shapeKey(batch);
      if (this.programs.has(key) || recorded.has(key)) continue;
      recorded.set(key, this.record(batch));
      await pause();
    }
    if (recorded.size > 0) this.open([...recorded]);
    // The first run of each program is when TensorFlow optimises it.
    for (const batch of batches) {
      await this.run(batch);
      await pause();
    }
  }

  private record(batch: Batch): FunctionProgram {
    const prefix = `program${this.recordings++}`;
    const record = (batch: Batch, graph: GraphBuilder, outside: Map<number, string>) =>
      recordFunction(
        this.backend,
        graph,
        outside,
        this.work,
        batch,
        { input: (name) => `${prefix}/${name}`, output: (name) => `${prefix}/output/${name}` },
        this.held(),
      );
    rehearse(this.work, batch);
    // Once with other values, thrown away.
    const other = record(emptied(batch), new GraphBuilder(), new Map());
    const recorded = record(batch, this.graph, this.outside);
    refuseDiffering(recorded, other);
    return {
      prefix,
      placeholders: [...recorded.placeholders.values(), ...recorded.held.values()],
      held: recorded.held,
      outputs: recorded.outputs,
    };
  }

  /** Loads all programs, those that were just recorded with them. */
  private open(recorded: readonly (readonly [string, FunctionProgram])[]): void {
    for (const [key, program] of recorded) this.programs.set(key, program);
    const roots = [...this.programs.values()].flatMap(({ placeholders, outputs }) => [
      ...placeholders,
      ...outputs.values(),
    ]);
    const session = new Session(this.backend.binding, this.graph, roots, [], []);
    this.session?.dispose();
    this.session = session;
  }

  dispose(): void {
    this.session?.dispose();
    this.session = undefined;
    this.programs.clear();
  }
}
