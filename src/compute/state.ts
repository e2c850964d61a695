import * as tf from '@tensorflow/tfjs-core';
import { RecsysError } from '../errors.js';
import type { TensorMap } from '../types.js';
import { Averages } from './averages.js';
import { type Cell, hostCell, variableCell } from './cell.js';
import {
  firstValues,
  type GroupRate,
  type Slot,
  type StepNumbers,
  stepNumbers,
  WHOLE,
} from './optimizers/optimizer.js';
import { Start } from './start.js';
import type { StepOptions } from './step.js';

/** What a step keeps beside the parameters: how many steps there were, the optimizer's slots, the weights' averages. */
export class StepState {
  count = 0;
  /** Dense parameters that train. */
  readonly names: readonly string[];
  /** In the order of `names`. */
  readonly trainable: readonly tf.Variable[];
  /** Dense parameters whose gradients are asked for: those that train, and tables that an adversary moves. */
  readonly wanted: ReadonlyMap<string, tf.Variable>;
  readonly slots = new Map<string, tf.Variable[]>();
  readonly tableSlots = new Map<string, Float32Array[]>();
  readonly averages: Averages | undefined;
  readonly start: Start | undefined;

  constructor(private readonly options: StepOptions) {
    const { store, optimizer, frozen, adversary, ema = 0, l2Start } = options;
    const trains = (name: string): boolean => !frozen?.(name);
    this.names = [...store.variables.keys()].filter(trains);
    this.trainable = this.names.map((n) => store.variables.get(n)!);
    const attacked = (name: string): boolean => adversary?.tables.includes(name) ?? false;
    this.wanted = new Map([...store.variables].filter(([name]) => trains(name) || attacked(name)));
    this.names.forEach((name, i) => {
      const weights = this.trainable[i]!;
      this.slots.set(
        name,
        optimizer.slots.map((s) => tf.tidy(() => tf.variable(firstOf(s, weights), false))),
      );
    });
    for (const [name, { data }] of store.tables) {
      if (trains(name))
        this.tableSlots.set(
          name,
          optimizer.slots.map((s) => firstValues(s, data)),
        );
    }
    this.averages = ema > 0 ? new Averages(store, ema, trains) : undefined;
    this.start = l2Start?.strength ? new Start(store, l2Start, trains) : undefined;
  }

  /** The numbers of the step that is counted last. */
  numbers(learningRate: number, rates?: readonly GroupRate[], step = this.count): StepNumbers {
    const { optimizer, groups } = this.options;
    const all = rates ?? Array.from({ length: groups?.count ?? 1 }, () => WHOLE[0]!);
    if (all.length !== (groups?.count ?? 1))
      throw new Error(`${all.length} rates for ${groups?.count ?? 1} groups of parameters`);
    return stepNumbers(optimizer, learningRate, step, all);
  }

  /** The group of a parameter. */
  groupOf(name: string): number {
    return this.options.groups?.of(name) ?? 0;
  }

  /** Every array, by its name in a snapshot. */
  cells(): Map<string, Cell> {
    const { store, optimizer } = this.options;
    const out = new Map<string, Cell>(this.averages?.cells());
    optimizer.slots.forEach((slot, k) => {
      for (const [name, variables] of this.slots)
        out.set(`${name}/${slot.name}`, variableCell(variables[k]!));
      for (const [name, arrays] of this.tableSlots) {
        const { rows, width } = store.tables.get(name)!;
        out.set(`${name}/${slot.name}`, hostCell([rows, width], arrays[k]!));
      }
    });
    return out;
  }

  export(): TensorMap {
    const out: TensorMap = new Map();
    for (const [name, { shape, read }] of this.cells())
      out.set(name, { dtype: 'F32', shape, data: Float32Array.from(read()) });
    out.set('step', { dtype: 'I32', shape: [1], data: Int32Array.of(this.count) });
    return out;
  }

  /** Throws CHECKPOINT_INCOMPATIBLE naming what is missing or of another shape. */
  load(state: TensorMap): void {
    const find = (name: string, shape: readonly number[]): Float32Array => {
      const t = state.get(name);
      if (t?.shape.join() === shape.join()) return t.data as Float32Array;
      throw new RecsysError(
        'CHECKPOINT_INCOMPATIBLE',
        `optimizer state "${name}" [${shape}] ${t ? `has shape [${t.shape}]` : 'is missing'}`,
      );
    };
    for (const [name, { shape, write }] of this.cells()) write(find(name, shape));
    this.count = state.get('step')?.data[0] ?? 0;
  }

  dispose(): void {
    for (const variables of this.slots.values()) tf.dispose(variables);
    this.averages?.dispose();
    this.start?.dispose();
  }
}

function firstOf(slot: Slot, weights: tf.Variable): tf.Tensor {
  if (typeof slot.fill === 'number') return tf.fill(weights.shape, slot.fill);
  return tf.tensor(firstValues(slot, weights.dataSync() as Float32Array), weights.shape);
}
