import * as tf from '@tensorflow/tfjs-core';
import type { TensorMap } from '../types.js';
import { againstAdversary, type Pass, type PassGradients, sumById } from './adversary.js';
import { variableCell } from './cell.js';
import { graphPass, type PassContext, randomKey, trainingPass } from './dropout.js';
import { nativeBackend } from './graph/binding.js';
import { inPrecision } from './ops/kernel.js';
import { decays, type GroupNumbers, type GroupRate, type StepNumbers } from './optimizers/optimizer.js';
import { type Params, type RowGradient, upload } from './parameters.js';
import { type LookupGradient, type MergedRows, mergeRows } from './rows.js';
import { penalties } from './start.js';
import { StepState } from './state.js';
import type { Batch, CompiledStep, Inputs, StepOptions, StepResult } from './step.js';

/** The step op by op: the reference that a recorded one must equal. */
export class EagerStep implements CompiledStep {
  readonly anchor = tf.tidy(() => tf.variable(tf.scalar(0), true));
  readonly state: StepState;

  constructor(private readonly options: StepOptions) {
    this.state = new StepState(options);
  }

  get count(): number {
    return this.state.count;
  }

  prepare(): number {
    return 0;
  }

  async run(
    microBatches: readonly Batch[],
    learningRate: number,
    rates?: readonly GroupRate[],
  ): Promise<StepResult> {
    this.state.count++;
    const share = 1 / microBatches.length;
    let dense: (tf.Tensor | undefined)[] = this.state.names.map(() => undefined);
    const rowGradients: RowGradient[] = [];
    let loss = 0;
    for (const [micro, batch] of microBatches.entries()) {
      const { value, gradients } = this.gradients(batch, micro, rowGradients);
      loss += (await value.data())[0]! * share;
      value.dispose();
      const previous = dense;
      dense = gradients.map((g, i) => {
        if (!g) return previous[i];
        return tf.tidy(() => {
          const scaled = share === 1 ? tf.clone(g) : tf.mul(g, share);
          return previous[i] ? tf.add(previous[i]!, scaled) : scaled;
        });
      });
      tf.dispose(gradients.filter((g) => g !== undefined));
      tf.dispose(previous.filter((g, i) => g !== undefined && g !== dense[i]) as tf.Tensor[]);
    }
    const rows = mergeRows(rowGradients.map(toHost), this.options.store.tables, share);
    const gradientNorm = this.apply(loss, dense, rows, this.state.numbers(learningRate, rates));
    tf.dispose(dense.filter((g) => g !== undefined));
    return { loss, gradientNorm };
  }

  private gradients(batch: Batch, micro: number, sink: RowGradient[]) {
    const inputs = uploadBatch(batch);
    const { seed, adversary, store } = this.options;
    const random = tf.tensor1d(randomKey(seed, this.count, micro), 'int32');
    const all = { ...inputs, random };
    let rows: readonly RowGradient[] = [];
    const { loss, dense } = tf.tidy(() => {
      const pass: Pass = (seen) => {
        // Made for each pass: both draw the same masks.
        const context = nativeBackend() ? graphPass(random) : trainingPass(seed, this.count, micro);
        return this.pass(all, context, seen);
      };
      const heldByRows = (name: string): boolean => store.tables.has(name);
      const found = adversary ? againstAdversary(adversary, pass, sumById, heldByRows) : pass();
      rows = found.rows;
      return { loss: found.loss, dense: { ...found.dense } };
    });
    tf.dispose(all);
    sink.push(...rows);
    const { names, wanted } = this.state;
    for (const name of wanted.keys()) if (!names.includes(name)) dense[name]?.dispose();
    return { value: loss, gradients: names.map((name) => dense[name]) };
  }

  private pass(
    inputs: Inputs,
    context: PassContext,
    seen: (params: Params) => Params = (p) => p,
  ): PassGradients {
    const { store, loss, precision = 'float32' } = this.options;
    const rows: RowGradient[] = [];
    const params = store.recorder(this.anchor, rows);
    const { value, dense } = gradientsBy(
      this.state.wanted,
      store.tables.size > 0 ? this.anchor : undefined,
      () => inPrecision(precision, () => loss(seen(params), inputs, context)),
    );
    return { loss: value, dense, rows };
  }

  /**
   * The update of the step that is counted last, from its gradients: of dense parameters in the order of their names, each a tensor or in host memory
   * and then updated there, and of tables' rows. One that is not accepted is not counted. @returns the norm
   */
  apply(
    loss: number,
    dense: readonly (tf.Tensor | Float32Array | undefined)[],
    rows: readonly MergedRows[],
    numbers: StepNumbers,
  ): number {
    const { clipNorm = 0, accepts } = this.options;
    const of = (name: string): GroupNumbers => numbers.groups[this.state.groupOf(name)]!;
    const learns = (name: string): boolean => of(name).active === 1;
    const live = rows.filter((r) => this.state.tableSlots.has(r.name) && learns(r.name));
    let square = live.reduce((sum, r) => sum + r.squaredNorm(), 0);
    const own = dense.map((g, i) => (learns(this.state.names[i]!) ? g : undefined));
    for (const g of own) if (g instanceof Float32Array) square += squaresOf(g);
    const present = own.filter((g) => g instanceof tf.Tensor);
    if (present.length > 0) {
      square += tf.tidy(() => tf.addN(present.map((g) => tf.sum(tf.square(g)))).dataSync()[0]!);
    }
    const norm = Math.sqrt(square);
    if (accepts?.({ loss, gradientNorm: norm }) === false) {
      this.state.count--;
      return norm;
    }
    const scale = clipNorm > 0 && norm > clipNorm ? clipNorm / norm : 1;
    this.state.names.forEach((name, i) => {
      const gradient = own[i];
      const variable = this.state.trainable[i]!;
      if (gradient instanceof Float32Array) this.applyHost(name, variable, gradient, scale, of(name));
      else if (gradient) this.applyDense(name, variable, gradient, scale, of(name));
      const average = this.state.averages?.dense.get(name);
      if (average)
        tf.tidy(() => average.assign(this.state.averages!.next(average, this.state.trainable[i]!)));
    });
    for (const r of live) this.applyRows(r, scale, numbers.step, of(r.name));
    return norm;
  }

  private applyDense(
    name: string,
    variable: tf.Variable,
    gradient: tf.Tensor,
    scale: number,
    { rate, keep }: GroupNumbers,
  ): void {
    const { optimizer, l2 = 0 } = this.options;
    const slots = this.state.slots.get(name)!;
    tf.tidy(() => {
      const matrix = decays(variable.shape);
      const scaled = scale === 1 ? gradient : tf.mul(gradient, scale);
      const penalty = penalties(variable, matrix ? l2 : 0, this.state.start?.dense.get(name));
      const g = penalty ? tf.add(scaled, penalty) : scaled;
      const from = optimizer.weightDecay && matrix ? tf.mul(variable, keep) : variable;
      const next = optimizer.dense(from, g, slots, tf.scalar(rate));
      variable.assign(next.parameter);
      next.slots.forEach((s, k) => {
        slots[k]!.assign(s as tf.Tensor);
      });
    });
  }

  /** The same where gradients are in host memory; without penalties. */
  private applyHost(
    name: string,
    variable: tf.Variable,
    gradient: Float32Array,
    scale: number,
    { rate, keep }: GroupNumbers,
  ): void {
    const { optimizer } = this.options;
    const cells = [variable, ...this.state.slots.get(name)!].map(variableCell);
    const [weights, ...slots] = cells.map((cell) => cell.read());
    if (scale !== 1) for (let i = 0; i < gradient.length; i++) gradient[i] = gradient[i]! * scale;
    if (optimizer.weightDecay && decays(variable.shape))
      for (let i = 0; i < weights!.length; i++) weights![i] = weights![i]! * keep;
    optimizer.row(weights!, 0, gradient, 0, gradient.length, slots, rate);
    for (const [k, values] of [weights!, ...slots].entries()) cells[k]!.write(values);
  }

  private applyRows(rows: MergedRows, scale: number, step: number, { rate, keep }: GroupNumbers): void {
    const { optimizer, store, l2 = 0 } = this.options;
    const { averages, start, tableSlots } = this.state;
    const { name, ids, gradient } = rows;
    const table = store.tables.get(name)!;
    const { data, width } = table;
    const matrix = decays([table.rows, width]);
    rows.prepare(data, scale, matrix ? l2 : 0, start?.tables.get(name));
    ids.forEach((id, k) => {
      const at = id * width;
      averages?.catchUp(name, table, id, step);
      if (optimizer.weightDecay && matrix) for (let i = at; i < at + width; i++) data[i] = data[i]! * keep;
      optimizer.row(data, at, gradient, k * width, width, tableSlots.get(name)!, rate);
      averages?.takeIn(name, table, id, step);
    });
  }

  async evaluate(batch: Batch): Promise<number> {
    const params = this.options.store.reader();
    const value = tf.tidy(() =>
      this.options.loss(params, uploadBatch(batch), { training: false, dropout: (x) => x }),
    );
    const loss = (await value.data())[0]!;
    value.dispose();
    return loss;
  }

  averaged<T>(work: () => Promise<T>): Promise<T> {
    const { averages } = this.state;
    return averages ? averages.lend(this.count, work) : work();
  }

  async export(): Promise<TensorMap> {
    return this.state.export();
  }

  load(state: TensorMap): void {
    this.state.load(state);
  }

  dispose(): void {
    this.anchor.dispose();
    this.state.dispose();
  }
}

/** Value and gradients of a scalar by the names of variables; those it does not read have none. `anchor`: what lookups of tables hang on. */
export function gradientsBy(
  variables: ReadonlyMap<string, tf.Variable>,
  anchor: tf.Variable | undefined,
  work: () => tf.Scalar,
): { value: tf.Scalar; dense: Record<string, tf.Tensor> } {
  const { value, grads } = tf.variableGrads(work, [...variables.values(), ...(anchor ? [anchor] : [])]);
  if (anchor) grads[anchor.name]?.dispose();
  const dense: Record<string, tf.Tensor> = {};
  for (const [name, variable] of variables) {
    const gradient = grads[variable.name];
    if (gradient) dense[name] = gradient;
  }
  return { value, dense };
}

/** The gradient of a lookup in host memory; the tensor is disposed. */
export function toHost({ name, ids, gradient }: RowGradient): LookupGradient {
  const values = gradient.dataSync() as Float32Array;
  gradient.dispose();
  return { name, ids, gradient: values };
}

function squaresOf(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return sum;
}

/** Uploads a batch; the caller disposes it. */
export function uploadBatch(batch: Batch): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(batch).map(([name, t]) => [name, upload(t)]));
}
