import { z } from 'zod';
import { compileStep } from '../compute/compile.js';
import { OPTIMIZERS } from '../compute/optimizers/index.js';
import { type ParameterInits, ParameterStore } from '../compute/parameters.js';
import { path } from '../config/fields.js';
import type { Dataset } from '../data/dataset.js';
import { LOSSES } from '../model/losses/index.js';
import { createModel, modelSchema } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { Random } from '../random.js';
import type { StageContext } from '../types.js';
import { growCatalogue, growTensors } from './growth.js';
import { labelObjective } from './objective.js';
import { commonTraining, labelSchema, lossName, targetsSchema } from './schema.js';
import { keepsSparse, runFit, type StageHooks, type TrainedModel, taskBatches } from './stage.js';

/** `recsys pretrain`: the YAML's keys. */
export const pretrainSchema = z.strictObject({
  ...commonTraining,
  from: path(
    'checkpoint whose pretraining is continued on this data; its model and vocabulary are kept and grow',
  ).optional(),
  model: modelSchema.prefault({ name: 'transformer' }).describe('the teacher; ignored with `from`'),
  task: z
    .enum(['next-item', 'label'])
    .default('next-item')
    .describe('rank the next item, or predict a pair’s label'),
  loss: lossName.default('softmax').describe('what is minimised'),
  negatives: z
    .number()
    .int()
    .min(1)
    .default(256)
    .describe('negatives of sampled-softmax (shared) or bce (a position)'),
  label: labelSchema,
  targets: targetsSchema,
});

export type PretrainConfig = z.output<typeof pretrainSchema>;

/** Trains a teacher on a dataset's train rows, from scratch or (`from`) continuing a checkpoint. */
export async function pretrain(
  config: PretrainConfig,
  source: Dataset,
  from: RestoredModel | undefined,
  hooks: StageHooks,
  context: StageContext,
): Promise<TrainedModel> {
  const modelConfig = from?.config ?? config.model;
  const grown = from ? growCatalogue(from.catalogue, source) : undefined;
  const dataset = grown?.dataset ?? source;
  const model = createModel(modelConfig, dataset.catalogue);
  const fresh = model.init(Random.of(config.seed, 'init'));
  const inits: ParameterInits = from ? growTensors(fresh, tensorsOf(from), 'pretrain --from') : fresh;
  if (grown) context.log('info', 'vocabulary grown', { added: grown.added });
  const loss = LOSSES[config.loss];
  const store = new ParameterStore(inits, model.constants(), {
    sparseTables: keepsSparse(inits, loss.readsCatalogue),
  });
  const step = compileStep({
    store,
    optimizer: OPTIMIZERS[config.optimizer.name](),
    loss: labelObjective(model, loss),
    l2: config.l2,
    clipNorm: config.clipNorm,
    accumulate: config.accumulate,
    seed: config.seed,
  });
  try {
    const { batches, rows } = taskBatches(model, dataset, config);
    const fit = await runFit(
      'pretrain',
      { model, store, step, dataset, batches, rows },
      config,
      hooks,
      context,
    );
    return { config: modelConfig, catalogue: dataset.catalogue, tensors: fit.best, fit };
  } finally {
    step.dispose();
    store.dispose();
  }
}

/** A restored model's values as tensors. */
export function tensorsOf(restored: RestoredModel) {
  return new Map(
    [...restored.inits].map(
      ([name, { shape, data }]) => [name, { dtype: 'F32' as const, shape, data }] as const,
    ),
  );
}
