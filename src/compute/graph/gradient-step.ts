import * as tf from '@tensorflow/tfjs-core';
import { graphPass, randomKey } from '../dropout.js';
import { type EagerStep, gradientsBy } from '../eager-step.js';
import { inPrecision } from '../ops/kernel.js';
import type { GroupRate } from '../optimizers/optimizer.js';
import { gatheredLookup, type HeldParams, type Params, type RowGradient } from '../parameters.js';
import { mergeRows } from '../rows.js';
import type { Batch, CompiledStep, Inputs, StepOptions, StepResult } from '../step.js';
import type { NativeBackend } from './binding.js';
import { GraphFunction } from './function.js';

/**
 * A step whose loss and gradients are one recorded function of the parameters, which stay where they are: whether its update is made can be asked
 * in between. Each batch shape is recorded once, so batches do well to have few.
 */
export class GradientStep implements CompiledStep {
  private readonly function: GraphFunction;
  /** Tables by the order of their lookups. */
  private lookups: readonly string[] = [];

  constructor(
    private readonly options: StepOptions,
    private readonly eager: EagerStep,
    backend: NativeBackend,
    private readonly held: HeldParams,
  ) {
    this.function = new GraphFunction(
      (inputs) => this.gradients(inputs),
      backend,
      () => held.tensors(),
    );
  }

  get count(): number {
    return this.eager.count;
  }

  prepare(): number {
    return 0;
  }

  async run(
    [batch, ...more]: readonly Batch[],
    learningRate: number,
    rates?: readonly GroupRate[],
  ): Promise<StepResult> {
    if (!batch || more.length > 0) throw new Error('a step of recorded gradients takes one batch');
    const { eager, options } = this;
    const { state } = eager;
    const made = await this.function.run(this.withRandom(batch, ++state.count));
    const values = (name: string): Float32Array => made.get(name)!;
    const dense = state.names.map((name) => made.get(denseOf(name)));
    const found = this.lookups.map((name, k) => ({
      name,
      ids: Int32Array.from(values(`ids/${k}`)),
      gradient: values(`rows/${k}`),
    }));
    const rows = mergeRows(found, options.store.tables, 1);
    const [loss] = values('loss');
    const gradientNorm = eager.apply(loss!, dense, rows, state.numbers(learningRate, rates));
    return { loss: loss!, gradientNorm };
  }

  /** Records the gradients for batches of these shapes; nothing is learned. */
  warm(batches: readonly Batch[], pause: () => Promise<void>): Promise<void> {
    return this.function.prepare(
      batches.map((batch) => this.withRandom(batch, 0)),
      pause,
    );
  }

  private withRandom(batch: Batch, count: number): Batch {
    const key = Int32Array.from(randomKey(this.options.seed, count, 0));
    return { ...batch, random: { dtype: 'I32', shape: [2], data: key } };
  }

  /** Loss and gradients by name: of dense parameters, and of each lookup of a table the rows' with their ids. */
  private gradients(inputs: Inputs): Record<string, tf.Tensor> {
    const { options, eager, held } = this;
    const { store, loss, precision = 'float32' } = options;
    const { wanted, names } = eager.state;
    const sink: RowGradient[] = [];
    const params: Params = {
      get: (name) => {
        if (store.tables.has(name))
          throw new Error(`table ${name} is held by rows: a loss must not read it whole`);
        return store.whole(name);
      },
      lookup: (name, ids) =>
        store.tables.has(name)
          ? gatheredLookup(name, held.params.get(name), ids, eager.anchor, sink)
          : held.params.lookup(name, ids),
    };
    const anchor = store.tables.size > 0 ? eager.anchor : undefined;
    const { value, dense } = gradientsBy(wanted, anchor, () =>
      inPrecision(precision, () => loss(params, inputs, graphPass(inputs.random as tf.Tensor1D))),
    );
    this.lookups = sink.map(({ name }) => name);
    const outputs: Record<string, tf.Tensor> = { loss: value };
    for (const name of names) if (dense[name]) outputs[denseOf(name)] = dense[name];
    for (const [k, { idsTensor, gradient }] of sink.entries()) {
      // As floats, like all outputs: exact for as many rows as a table may have here.
      outputs[`ids/${k}`] = tf.cast(idsTensor!, 'float32');
      outputs[`rows/${k}`] = tf.clone(gradient);
    }
    tf.dispose(sink.flatMap(({ idsTensor, gradient }) => [idsTensor!, gradient]));
    return outputs;
  }

  evaluate(batch: Batch): Promise<number> {
    return this.eager.evaluate(batch);
  }

  averaged<T>(work: () => Promise<T>): Promise<T> {
    return this.eager.averaged(work);
  }

  export(): ReturnType<CompiledStep['export']> {
    return this.eager.export();
  }

  load(state: Parameters<CompiledStep['load']>[0]): void {
    this.eager.load(state);
  }

  dispose(): void {
    this.function.dispose();
    this.eager.dispose();
  }
}

const denseOf = (name: string): string => `dense/${name}`;
