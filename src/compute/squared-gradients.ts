import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from './dropout.js';
import { gradientsBy, toHost, uploadBatch } from './eager-step.js';
import type { RowGradient } from './parameters.js';
import { mergeRows } from './rows.js';
import type { Batch, StepOptions } from './step.js';

/**
 * How much a loss depends on each weight: squares of its derivatives, summed over the batches that are added. Where a batch is one example and the loss a
 * negative log-likelihood, that is the diagonal of the empirical Fisher information, times how many were added. Nothing is dropped.
 */
export class SquaredGradients {
  /** By parameter, of those that train; as long as it. */
  readonly sums = new Map<string, Float32Array>();
  private readonly anchor = tf.tidy(() => tf.variable(tf.scalar(0), true));
  private readonly variables: ReadonlyMap<string, tf.Variable>;

  constructor(private readonly options: Pick<StepOptions, 'store' | 'loss' | 'frozen'>) {
    const { store, frozen } = options;
    const trains = (name: string): boolean => !frozen?.(name);
    this.variables = new Map([...store.variables].filter(([name]) => trains(name)));
    for (const [name, { size }] of this.variables) this.sums.set(name, new Float32Array(size));
    for (const [name, { data }] of store.tables)
      if (trains(name)) this.sums.set(name, new Float32Array(data.length));
  }

  add(batch: Batch): void {
    const { store, loss } = this.options;
    const lookups: RowGradient[] = [];
    const inputs = uploadBatch(batch);
    tf.tidy(() => {
      const params = store.recorder(this.anchor, lookups);
      const { dense } = gradientsBy(this.variables, this.anchor, () => loss(params, inputs, INFERENCE));
      for (const [name, gradient] of Object.entries(dense))
        addSquares(this.sums.get(name)!, gradient.dataSync() as Float32Array);
    });
    tf.dispose(inputs);
    for (const { name, ids, gradient } of mergeRows(lookups.map(toHost), store.tables, 1)) {
      const { width } = store.tables.get(name)!;
      const sums = this.sums.get(name);
      if (!sums) continue;
      ids.forEach((id, k) => {
        addSquares(
          sums.subarray(id * width, (id + 1) * width),
          gradient.subarray(k * width, (k + 1) * width),
        );
      });
    }
  }

  dispose(): void {
    this.anchor.dispose();
  }
}

function addSquares(sums: Float32Array, values: Float32Array): void {
  for (let i = 0; i < values.length; i++) sums[i] = sums[i]! + values[i]! * values[i]!;
}
