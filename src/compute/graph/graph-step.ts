import type { TensorMap } from '../../types.js';
import { type Cell, type HeldValue, hostCell, variableCell } from '../cell.js';
import { randomKey } from '../dropout.js';
import type { EagerStep } from '../eager-step.js';
import type { GroupRate } from '../optimizers/optimizer.js';
import type { Batch, CompiledStep, StepOptions, StepResult } from '../step.js';
import { declareAccumulators } from './accumulation.js';
import type { NativeBackend } from './binding.js';
import { GraphBuilder } from './graph-def.js';
import type { Program, Recorded, RecordParts } from './program.js';
import { differingConstant, NotRecordable } from './recorder.js';
import {
  declareVariable,
  type GraphVariable,
  nativeBatch,
  type ScratchVariable,
  Session,
} from './session.js';
import { shapeKey } from './shape.js';
import { fedNumbers, recordAccumulation, recordStep, recordUpdate } from './train-program.js';

/**
 * A training step recorded as a TensorFlow graph. Each batch shape is one program; all programs are subgraphs of one graph
 * in one session, which holds the weights and the optimizer state. A new shape is recorded when it first comes: then the
 * state is read back, the graph is loaded anew, and the state put in again. With gradient accumulation a batch's program
 * only puts its gradient by, and one more program makes the step of them.
 */
export class GraphStep implements CompiledStep {
  private readonly graph = new GraphBuilder();
  private readonly outside = new Map<number, string>();
  private readonly programs = new Map<string, Recorded>();
  /** The step's second half, and the parameters it was recorded for; only with accumulation. */
  private update: Recorded | undefined;
  private recordings = 0;
  private readonly variables: readonly GraphVariable[];
  private readonly scratch: readonly ScratchVariable[];
  private readonly most: number;
  private session: Session | undefined;
  /** The session's values are newer than the store's. */
  private ahead = false;

  constructor(
    private readonly options: StepOptions,
    private readonly eager: EagerStep,
    private readonly backend: NativeBackend,
  ) {
    this.most = options.accumulate ?? 1;
    const { variables, scratch } = this.declare(this.graph);
    this.variables = variables;
    this.scratch = scratch;
    options.store.holder = { pull: () => this.sync(), drop: () => this.drop() };
  }

  get count(): number {
    return this.eager.count;
  }

  async run(
    microBatches: readonly Batch[],
    learningRate: number,
    rates?: readonly GroupRate[],
  ): Promise<StepResult> {
    if (microBatches.length === 0 || microBatches.length > this.most)
      throw new Error(`a step of ${microBatches.length} batches: \`accumulate\` declares ${this.most}`);
    // All of them before the first runs: recording loads the session anew, without what was put by.
    this.prepare(microBatches);
    this.eager.state.count++;
    const numbers = fedNumbers(this.eager.state.numbers(learningRate, rates));
    this.ahead = true;
    if (!this.update) {
      const [loss, gradientNorm] = this.execute(this.programOf(microBatches[0]!), {
        batch: microBatches[0]!,
        numbers,
      });
      return { loss: loss!, gradientNorm: gradientNorm! };
    }
    const share = 1 / microBatches.length;
    let loss = 0;
    try {
      microBatches.forEach((batch, micro) => {
        const [value] = this.execute(this.programOf(batch), { batch, micro, numbers: { share } });
        loss += value! * share;
      });
      const [gradientNorm] = this.execute(this.update.program, { numbers });
      return { loss, gradientNorm: gradientNorm! };
    } catch (error) {
      // What was put by must not reach the next step.
      this.sync();
      this.drop();
      throw error;
    }
  }

  /** Runs a program; gives its outputs. */
  private execute(
    program: Program,
    fed: { batch?: Batch; micro?: number; numbers: Readonly<Record<string, number>> },
  ): number[] {
    const { binding } = this.backend;
    const inputs = nativeBatch(binding, fed.batch ?? {}, program.placeholder);
    if (fed.batch) {
      const random = randomKey(this.options.seed, this.count, fed.micro ?? 0);
      inputs.set(program.placeholder('random'), binding.createTensor([2], binding.TF_INT32, random));
    }
    for (const [name, value] of Object.entries(fed.numbers))
      inputs.set(
        program.placeholder(name),
        binding.createTensor([], binding.TF_FLOAT, Float32Array.of(value)),
      );
    try {
      return this.session!.run(inputs, program.outputs).map((values) => values[0]!);
    } finally {
      for (const id of inputs.values()) binding.deleteTensor(id);
    }
  }

  prepare(batches: readonly Batch[]): number {
    const fresh = new Map(batches.map((b) => [shapeKey(b), b]));
    for (const key of this.programs.keys()) fresh.delete(key);
    if (fresh.size === 0 && this.session) return 0;
    this.sync();
    const record = this.most > 1 ? recordAccumulation : recordStep;
    for (const [key, batch] of fresh)
      this.programs.set(
        key,
        this.record((parts) => record(parts, batch)),
      );
    if (this.most > 1) this.prepareUpdate();
    this.open();
    return fresh.size;
  }

  private prepareUpdate(): void {
    const reached = new Set([...this.programs.values()].flatMap((p) => [...p.reached]));
    if (reached.size === (this.update?.reached.size ?? 0)) return;
    this.update = this.record((parts) => recordUpdate(parts, reached));
  }

  private programOf(batch: Batch): Program {
    return this.programs.get(shapeKey(batch))!.program;
  }

  private declare(graph: GraphBuilder): { variables: GraphVariable[]; scratch: ScratchVariable[] } {
    const { options, eager, most } = this;
    const variables = [...this.held()].map(([name, { shape }]) => declareVariable(graph, name, shape));
    return { variables, scratch: most > 1 ? declareAccumulators(graph, options, eager.state) : [] };
  }

  private record(work: (parts: RecordParts) => Recorded): Recorded {
    const { options, eager, backend, variables, scratch } = this;
    const prefix = `program${this.recordings++}`;
    const parts = { options, eager, backend, prefix };
    const elsewhere = (): { graph: GraphBuilder; outside: Map<number, string> } => ({
      graph: new GraphBuilder(),
      outside: new Map(),
    });
    // Once without writing, so that everything that lives outside the step is on the backend before it is recorded.
    work({ ...parts, ...elsewhere(), step: 1, variables: [], scratch: [] });
    // Another step's recording, thrown away: what differs got baked in.
    const rehearsal = elsewhere();
    const other = work({ ...parts, ...rehearsal, step: 2, ...this.declare(rehearsal.graph) });
    const recorded = work({
      ...parts,
      graph: this.graph,
      outside: this.outside,
      step: 1,
      variables,
      scratch,
    });
    const differing = differingConstant(recorded.recorder, other.recorder);
    if (differing !== undefined) {
      throw new NotRecordable(
        `an input of ${differing} is made in JavaScript and differs from step to step: recorded, it would be frozen (random numbers must come from \`pass\`, values of the batch from its tensors)`,
      );
    }
    return recorded;
  }

  /** Loads the graph as it is now and puts the store's values in. */
  private open(): void {
    this.session?.dispose();
    const recorded = [...this.programs.values(), ...(this.update ? [this.update] : [])];
    const roots = recorded.flatMap((r) => r.program.roots);
    this.session = new Session(this.backend.binding, this.graph, roots, this.variables, this.scratch);
    const held = this.held();
    this.session.assignAll((name) => held.get(name)!.read());
    this.ahead = false;
  }

  /** Where each variable's value lives outside the session. */
  private cells(): Map<string, Cell> {
    const { store } = this.options;
    const out = this.eager.state.cells();
    for (const [name, v] of store.variables) out.set(name, variableCell(v));
    for (const [name, t] of store.tables) out.set(name, hostCell([t.rows, t.width], t.data));
    return out;
  }

  /** The same, and what no step changes. */
  private held(): Map<string, HeldValue> {
    const start = this.eager.state.start?.held(this.options.store.tables);
    return new Map<string, HeldValue>([...this.cells(), ...(start ?? [])]);
  }

  private sync(): void {
    if (!this.ahead || !this.session) return;
    const cells = this.cells();
    const values = this.session.readAll([...cells.keys()]);
    for (const [name, cell] of cells) cell.write(values.get(name)!);
    this.ahead = false;
  }

  async evaluate(batch: Batch): Promise<number> {
    this.sync();
    return this.eager.evaluate(batch);
  }

  averaged<T>(work: () => Promise<T>): Promise<T> {
    this.sync();
    return this.eager.averaged(work);
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
