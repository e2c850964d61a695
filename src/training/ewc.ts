import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { SquaredGradients } from '../compute/squared-gradients.js';
import type { StepOptions } from '../compute/step.js';
import { path } from '../config/fields.js';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import type { Model } from '../model/model.js';
import type { StageContext, TensorMap } from '../types.js';
import { targetsSchema } from './schema.js';
import { type TaskConfig, taskBatches } from './stage.js';

/** `ewc` of finetune. */
export const ewcSchema = z.strictObject({
  data: path('prepared dataset that the checkpoint was trained on'),
  targets: targetsSchema,
  examples: z.number().int().min(1).default(1000).describe('how many of its examples are looked at'),
});
export type EwcConfig = z.output<typeof ewcSchema>;

/** The data of before, and how much of it says which weights it depends on. */
export interface Ewc extends Pick<EwcConfig, 'targets' | 'examples'> {
  readonly dataset: Dataset;
}

/**
 * How much what was learned before depends on each weight that trains: the diagonal of the empirical Fisher information (elastic weight
 * consolidation: Kirkpatrick et al. 2017), from examples of the data of before, one by one, with the run's task and loss. Scaled to a mean of 1
 * over the weights of `start`.
 * @throws INTERRUPTED once `context.signal` is aborted
 */
export async function importanceOf(
  { dataset, targets, examples }: Ewc,
  model: Model,
  step: Pick<StepOptions, 'store' | 'loss' | 'frozen'>,
  start: TensorMap,
  config: TaskConfig,
  context: StageContext,
): Promise<ReadonlyMap<string, Float32Array>> {
  const { batches } = taskBatches(model, dataset, { ...config, batchSize: 1, targets });
  const total = Math.min(examples, batches.batchesPerEpoch);
  const squared = new SquaredGradients(step);
  try {
    for (let done = 0; done < total; done++) {
      if (context.signal.aborted)
        throw new RecsysError('INTERRUPTED', 'finetune was interrupted before its first step');
      squared.add(batches.batch(0, Math.floor((done * batches.batchesPerEpoch) / total)));
      context.progress({ task: 'ewc: what depends on which weights', done: done + 1, total });
      // An interruption is heard between examples.
      await setImmediate();
    }
  } finally {
    squared.dispose();
    batches.close?.();
  }
  return scaled(squared.sums, start);
}

function scaled(sums: ReadonlyMap<string, Float32Array>, start: TensorMap) {
  let [sum, count] = [0, 0];
  for (const [name, values] of sums) {
    const known = start.get(name)?.data.length ?? 0;
    for (let i = 0; i < known; i++) sum += values[i]!;
    count += known;
  }
  const mean = sum / count;
  if (!(mean > 0 && Number.isFinite(mean))) {
    throw new RecsysError('CONFIG_INVALID', `ewc: squared derivatives have a mean of ${mean}`, {
      remedy: 'Give the data, `targets`, `task` and `loss` that the checkpoint was trained with.',
    });
  }
  return new Map([...sums].map(([name, values]) => [name, values.map((value) => value / mean)]));
}
