import * as tf from '@tensorflow/tfjs-core';
import { type Cell, hostCell, variableCell } from './cell.js';
import type { ParameterStore, Table } from './parameters.js';

export interface TableAverage {
  readonly average: Float32Array;
  /** [rows] the last step that changed each row; a row's average is as of that step. */
  readonly seen: Float32Array;
}

/**
 * Moving averages of the parameters that train: a ← d a + (1 − d) w after each step, from 0. Read, they are divided by
 * 1 − dᵗ, the sum of the weights so far, as Adam does with its moments: so after few steps they are the mean of those few.
 * A table's row is brought up to date when a step touches it, and when it is read: while it stood still, a − w shrank by d
 * a step. So a step costs by the batch here too.
 */
export class Averages {
  readonly decay: number;
  readonly dense = new Map<string, tf.Variable>();
  readonly tables = new Map<string, TableAverage>();

  constructor(
    private readonly store: ParameterStore,
    decay: number,
    trains: (name: string) => boolean,
  ) {
    // As kernels take it: d and 1 − d have to be the same numbers everywhere.
    this.decay = Math.fround(decay);
    for (const [name, { shape }] of store.variables) {
      if (trains(name))
        this.dense.set(
          name,
          tf.tidy(() => tf.variable(tf.zeros(shape), false)),
        );
    }
    for (const [name, { data, rows }] of store.tables) {
      if (trains(name))
        this.tables.set(name, {
          average: new Float32Array(data.length),
          seen: new Float32Array(rows),
        });
    }
  }

  /** What a dense average becomes with the weight of the step, inside a tidy. */
  next(average: tf.Tensor, weight: tf.Tensor): tf.Tensor {
    return tf.add(tf.mul(average, this.decay), tf.mul(weight, 1 - this.decay));
  }

  /** Brings a row up to the step before this one; called before the row changes. */
  catchUp(name: string, { data, width }: Table, row: number, step: number): void {
    const { average, seen } = this.tables.get(name)!;
    const still = this.decay ** (step - 1 - seen[row]!);
    for (let k = row * width; k < (row + 1) * width; k++)
      average[k] = data[k]! + still * (average[k]! - data[k]!);
  }

  /** Takes in a row as this step left it. */
  takeIn(name: string, { data, width }: Table, row: number, step: number): void {
    const { average, seen } = this.tables.get(name)!;
    for (let k = row * width; k < (row + 1) * width; k++)
      average[k] = this.decay * average[k]! + (1 - this.decay) * data[k]!;
    seen[row] = step;
  }

  cells(): Map<string, Cell> {
    const out = new Map<string, Cell>();
    for (const [name, v] of this.dense) out.set(`${name}/average`, variableCell(v));
    for (const [name, { average, seen }] of this.tables) {
      const { rows, width } = this.store.tables.get(name)!;
      out.set(`${name}/average`, hostCell([rows, width], average));
      out.set(`${name}/seen`, hostCell([rows, 1], seen));
    }
    return out;
  }

  /** Runs `work` while the store holds the averages after `step` steps instead of the weights. */
  async lend<T>(step: number, work: () => Promise<T>): Promise<T> {
    if (step === 0) return work();
    const sum = 1 - this.decay ** step;
    const held = new Map<Cell, Float32Array>();
    const exchange = (cell: Cell, average: Float32Array): void => {
      held.set(cell, Float32Array.from(cell.read()));
      cell.write(average);
    };
    for (const [name, v] of this.dense) {
      const average = (v.dataSync() as Float32Array).map((a) => a / sum);
      exchange(variableCell(this.store.variables.get(name)!), average);
    }
    for (const [name, { average, seen }] of this.tables) {
      const { rows, width, data } = this.store.tables.get(name)!;
      const whole = average.map((a, k) => {
        const still = this.decay ** (step - seen[Math.floor(k / width)]!);
        return (data[k]! + still * (a - data[k]!)) / sum;
      });
      exchange(hostCell([rows, width], data), whole);
    }
    try {
      return await work();
    } finally {
      for (const [cell, weights] of held) cell.write(weights);
    }
  }

  dispose(): void {
    for (const v of this.dense.values()) v.dispose();
  }
}
