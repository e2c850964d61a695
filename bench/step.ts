import { compileStep } from '../src/compute/compile.js';
import type { Precision } from '../src/compute/ops/kernel.js';
import { adam } from '../src/compute/optimizers/adam.js';
import { ParameterStore } from '../src/compute/parameters.js';
import type { Batch, CompiledStep } from '../src/compute/step.js';
import { sampledSoftmax } from '../src/model/losses/sampled-softmax.js';
import { createModel, modelSchema } from '../src/model/registry.js';
import { Random } from '../src/random.js';
import { f32, i32 } from '../src/training/batches.js';
import { labelObjective } from '../src/training/objective.js';
import type { Catalogue } from '../src/types.js';
import { noFeatures } from '../test/suites/fixtures.js';

/** Shape of a step: batch × length of the histories, and the transformer's width. */
export interface Shape {
  readonly batch: number;
  readonly length: number;
  readonly width: number;
}

/** Negatives of the sampled softmax, shared by the batch. */
export const NEGATIVES = 1024;

/** A catalogue of ids alone. */
function catalogue(count: number): Catalogue {
  const items = Array.from({ length: count + 1 }, (_, i) => String(i));
  const counts = new Float32Array(count + 1).fill(1);
  return {
    users: ['', 'u'],
    items,
    behaviours: ['view'],
    titles: items,
    itemFeatures: noFeatures(count + 1),
    userFeatures: noFeatures(2),
    itemCounts: counts,
  };
}

/** A full batch over a catalogue of `count` items: every position has a target. */
export function randomBatch({ batch, length }: Shape, count: number): Batch {
  const rng = new Random(1);
  const some = (n: number): Int32Array => Int32Array.from({ length: n }, () => 1 + rng.int(count));
  const n = batch * length;
  return {
    users: i32(new Int32Array(batch), [batch]),
    items: i32(some(n), [batch, length]),
    behaviours: i32(new Int32Array(n).fill(1), [batch, length]),
    positions: i32(
      Int32Array.from({ length: n }, (_, i) => i),
      [n],
    ),
    targets: i32(some(n), [n]),
    weights: f32(new Float32Array(n).fill(1), [n]),
    negatives: i32(some(NEGATIVES), [NEGATIVES]),
    logSampling: f32(Float32Array.of(Math.log(count / NEGATIVES)), [1]),
  };
}

/** The step of a causal transformer of two blocks with a sampled softmax and Adam, its tables held by rows. */
export function buildStep(
  shape: Shape,
  options: { items: number; dropout: number; compile: boolean; precision?: Precision },
): { step: CompiledStep; dispose(): void } {
  const config = {
    name: 'transformer',
    width: shape.width,
    length: shape.length,
    depth: 2,
    heads: 1,
    feedForward: 1,
    dropout: options.dropout,
  };
  const model = createModel(modelSchema.parse(config), catalogue(options.items));
  const store = new ParameterStore(model.init(new Random(1)), model.constants(), { sparseTables: true });
  const loss = labelObjective(model, sampledSoftmax);
  const step = compileStep({
    store,
    optimizer: adam(),
    loss,
    clipNorm: 5,
    seed: 1,
    compile: options.compile,
    ...(options.precision ? { precision: options.precision } : {}),
  });
  const dispose = (): void => {
    step.dispose();
    store.dispose();
  };
  return { step, dispose };
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;
