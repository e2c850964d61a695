import { RecsysError } from '../../errors.js';
import type { HostTensor, TensorMap } from '../../types.js';
import { decays, firstValues, type Optimizer, stepNumbers } from '../optimizers/optimizer.js';
import type { StepResult } from '../step.js';
import { RowGradients } from './gradients.js';
import { fits } from './memory.js';
import type { PlainParameter, PlainParameters } from './parameters.js';

export interface PlainStepOptions {
  readonly optimizer: Optimizer;
  /** Largest global norm of the gradient; 0 = no limit. */
  readonly clipNorm: number;
  /** Asked before each update: false leaves everything as it is. */
  accepts(update: StepResult): boolean;
}

/** Updates of parameters in host memory from gradients that are written down, by the rules of `EagerStep`: clipping, then each optimizer's update by row. */
export class PlainStep {
  /** Where gradients are gathered, by parameter, none of row 0 of a table; an update clears them. */
  readonly gradients: ReadonlyMap<string, RowGradients>;
  private readonly slots: ReadonlyMap<string, readonly Float32Array[]>;
  private count = 0;

  constructor(
    private readonly parameters: PlainParameters,
    private readonly options: PlainStepOptions,
  ) {
    const { tables, memory } = parameters;
    this.gradients = new Map(
      [...tables].map(([name, { rows, width }]) => [name, new RowGradients(rows, width, memory)]),
    );
    this.slots = new Map(
      [...tables].map(([name, { data }]) => [
        name,
        options.optimizer.slots.map((slot) => {
          const values = memory?.allocate(data.length) ?? new Float32Array(data.length);
          values.set(firstValues(slot, Float32Array.from(data)));
          return values;
        }),
      ]),
    );
  }

  /** One update from what was gathered. @returns whether it was made */
  update(loss: number, learningRate: number): boolean {
    const { clipNorm, accepts, optimizer } = this.options;
    const gradientNorm = this.norm();
    const accepted = accepts({ loss, gradientNorm });
    if (accepted) {
      const factor = clipNorm > 0 && gradientNorm > clipNorm ? clipNorm / gradientNorm : 1;
      const { groups } = stepNumbers(optimizer, learningRate, ++this.count);
      for (const [name, gradients] of this.gradients) {
        if (factor !== 1) gradients.scale(factor);
        this.apply(name, this.parameters.tables.get(name)!, gradients, groups[0]!);
      }
    }
    for (const one of this.gradients.values()) one.clear();
    return accepted;
  }

  private norm(): number {
    let sum = 0;
    for (const one of this.gradients.values()) sum += one.squaredNorm();
    return Math.sqrt(sum);
  }

  /** A table changes in the rows touched; what is dense changes whole, as the moments of rows without a gradient fade, too. */
  private apply(
    name: string,
    { data, rows, width, shape, sparse }: PlainParameter,
    gradients: RowGradients,
    { rate, keep }: { readonly rate: number; readonly keep: number },
  ): void {
    const { optimizer } = this.options;
    const slots = this.slots.get(name)!;
    const { memory } = this.parameters;
    if (memory && fits(width) && optimizer.fast === 'adagrad') {
      // Rows without a gradient stay as they are by this rule.
      memory.adagrad(data, slots[0]!, gradients.ids, gradients.count, width, gradients.data, rate);
      return;
    }
    const shrinks = optimizer.weightDecay !== undefined && decays(shape);
    const row = (id: number, gradient: Float32Array, at: number): void => {
      const from = id * width;
      if (shrinks) for (let i = from; i < from + width; i++) data[i] = data[i]! * keep;
      optimizer.row(data, from, gradient, at, width, slots, rate);
    };
    if (sparse) {
      const { ids, count } = gradients;
      for (let place = 0; place < count; place++) row(ids[place]!, gradients.data, place * width);
      return;
    }
    const none = new Float32Array(width);
    for (let id = 0; id < rows; id++) {
      const at = gradients.find(id);
      if (at < 0) row(id, none, 0);
      else row(id, gradients.data, at);
    }
  }

  /** Optimizer state and step count, as a step on a backend exports them. */
  export(): TensorMap {
    const out: TensorMap = new Map();
    for (const [key, shape, data] of this.cells())
      out.set(key, { dtype: 'F32', shape, data: Float32Array.from(data) });
    out.set('step', { dtype: 'I32', shape: [1], data: Int32Array.of(this.count) });
    return out;
  }

  /** Takes up what `export` gave. @throws CHECKPOINT_INCOMPATIBLE naming what is missing or of another shape */
  load(state: TensorMap): void {
    for (const [key, shape, data] of this.cells()) {
      const found: HostTensor | undefined = state.get(key);
      if (found?.shape.join() !== shape.join())
        throw new RecsysError(
          'CHECKPOINT_INCOMPATIBLE',
          `optimizer state "${key}" [${shape}] ${found ? `has shape [${found.shape}]` : 'is missing'}`,
        );
      data.set(found.data);
    }
    this.count = state.get('step')?.data[0] ?? 0;
  }

  private *cells(): Generator<[string, readonly number[], Float32Array]> {
    for (const [name, arrays] of this.slots)
      for (const [k, slot] of this.options.optimizer.slots.entries())
        yield [`${name}/${slot.name}`, this.parameters.tables.get(name)!.shape, arrays[k]!];
  }
}
