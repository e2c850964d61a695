import assert from 'node:assert/strict';
import { compileStep } from '../../src/compute/compile.js';
import { INFERENCE } from '../../src/compute/dropout.js';
import { OPTIMIZERS } from '../../src/compute/optimizers/index.js';
import { type ParameterInits, ParameterStore, upload } from '../../src/compute/parameters.js';
import type { Batch, CompiledStep } from '../../src/compute/step.js';
import { LOSSES, type LossName } from '../../src/model/losses/index.js';
import type { Model } from '../../src/model/model.js';
import { Random } from '../../src/random.js';
import { labelObjective } from '../../src/training/objective.js';
import { labelSchema, targetsSchema } from '../../src/training/schema.js';
import { type TaskConfig, taskBatches } from '../../src/training/stage.js';
import { valuesOf } from './assertions.js';
import { datasetOf, randomEvents, richCatalogue } from './fixtures.js';

export const ITEMS = 10;
export const CATALOGUE = richCatalogue(6, ITEMS);
// Histories long enough for what reads only what is long ago.
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 3, 4, 7), 'epoch');

/** Loss × task pairs a model is trained with. */
export const TRAININGS: readonly { loss: LossName; task: 'next-item' | 'label' }[] = (
  Object.keys(LOSSES) as LossName[]
).flatMap((loss) =>
  (Object.keys(LOSSES[loss].tasks) as ('next-item' | 'label')[]).map((task) => ({ loss, task })),
);

export function taskOf(
  loss: LossName,
  task: 'next-item' | 'label',
  more: Partial<TaskConfig> = {},
): TaskConfig {
  const negatives = loss === 'mse' ? 0 : 1;
  return {
    loss,
    task,
    negatives: 3,
    label: labelSchema.parse({ negatives }),
    targets: targetsSchema.parse({}),
    masking: 0.5,
    batchSize: 6,
    seed: 1,
    ...more,
  };
}

/** A store, a step (plain SGD, so that update = gradient at rate 1) and the first batch of a task. */
export async function trainer(
  model: Model,
  task: TaskConfig,
  options: { sparseTables: boolean; inits?: ParameterInits },
  work: (step: CompiledStep, batch: Batch, store: ParameterStore) => Promise<void>,
): Promise<void> {
  const store = new ParameterStore(options.inits ?? model.init(new Random(7)), model.constants(), options);
  const loss = labelObjective(model, LOSSES[task.loss]);
  const step = compileStep({ store, optimizer: OPTIMIZERS.sgd(), loss, seed: 1 });
  try {
    await work(step, taskBatches(model, DATASET, task).batches.batch(0, 0), store);
  } finally {
    step.dispose();
    store.dispose();
  }
}

/** What one step of plain SGD at rate 1 takes off every parameter. */
export async function gradientOf(
  model: Model,
  task: TaskConfig,
  options: { sparseTables: boolean; inits: ParameterInits },
): Promise<Map<string, Float32Array>> {
  const gradients = new Map<string, Float32Array>();
  await trainer(model, task, options, async (step, batch, store) => {
    await step.run([batch], 1);
    const after = await store.export();
    for (const [name, { data }] of options.inits) {
      gradients.set(
        name,
        data.map((v, i) => v - after.get(name)!.data[i]!),
      );
    }
  });
  return gradients;
}

/** Two coordinates of every parameter: the one with the largest gradient and another. Padding rows have none. */
export async function checkGradient(
  model: Model,
  task: TaskConfig,
  inits: ParameterInits,
  gradients: ReadonlyMap<string, Float32Array>,
): Promise<void> {
  const batch = taskBatches(model, DATASET, task).batches.batch(0, 0);
  const objective = labelObjective(model, LOSSES[task.loss]);
  const rng = new Random(23);
  const [any] = [...inits.keys()].filter((name) => !inits.get(name)!.fixed);
  const middle = lossAt(model, objective, batch, inits, any!, 0, 0);
  let moved = 0;
  for (const [name, gradient] of gradients) {
    const largest = gradient.reduce((best, g, i) => (Math.abs(g) > Math.abs(gradient[best]!) ? i : best), 0);
    if (gradient[largest] !== 0) moved++;
    const { grows, shape, fixed } = inits.get(name)!;
    if (fixed) {
      assert.ok(gradient.every((g) => g === 0));
      continue;
    }
    if (grows)
      assert.deepEqual(gradient.subarray(0, shape[1]), new Float32Array(shape[1]!), `${name}: padding`);
    for (const at of [largest, rng.int(gradient.length)]) {
      const analytic = gradient[at]!;
      const slopes: number[] = [];
      const fits = (slope: number): boolean => Math.abs(slope - analytic) <= 1e-3 + 0.02 * Math.abs(slope);
      // Beside a kink of a ReLU only one side's slope is the gradient, and a small step may be needed.
      for (const size of [1e-2, 2e-3, 5e-4]) {
        if (slopes.some(fits)) break;
        const low = lossAt(model, objective, batch, inits, name, at, -size);
        const high = lossAt(model, objective, batch, inits, name, at, size);
        slopes.push((high - low) / (2 * size), (high - middle) / size, (middle - low) / size);
      }
      assert.ok(slopes.some(fits), `${name}[${at}]: gradient ${analytic}, finite differences ${slopes}`);
    }
  }
  // The recency or position of a lag no window of the batch reaches may have none.
  assert.ok(
    moved >= [...inits.values()].filter(({ fixed }) => !fixed).length - 2,
    `only ${moved} parameters have a gradient`,
  );
}

function lossAt(
  model: Model,
  objective: ReturnType<typeof labelObjective>,
  batch: Batch,
  inits: ParameterInits,
  name: string,
  index: number,
  shift: number,
): number {
  const init = inits.get(name)!;
  const data = Float32Array.from(init.data);
  data[index] = data[index]! + shift;
  const store = new ParameterStore(new Map([...inits, [name, { ...init, data }]]), model.constants());
  const [loss] = valuesOf(() => {
    const inputs = Object.fromEntries(Object.entries(batch).map(([key, t]) => [key, upload(t)]));
    return objective(store.reader(), inputs, INFERENCE);
  });
  store.dispose();
  return loss!;
}
