import { z } from 'zod';
import { compileStep } from '../compute/compile.js';
import { OPTIMIZERS } from '../compute/optimizers/index.js';
import { ParameterStore } from '../compute/parameters.js';
import { path } from '../config/fields.js';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { LOSSES } from '../model/losses/index.js';
import { createModel, type ModelConfig } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { Random } from '../random.js';
import type { StageContext } from '../types.js';
import { growCatalogue, growTensors } from './growth.js';
import { labelObjective } from './objective.js';
import { tensorsOf } from './pretrain.js';
import { commonTraining, labelSchema, lossName, targetsSchema } from './schema.js';
import { keepsSparse, runFit, type StageHooks, type TrainedModel, taskBatches } from './stage.js';

/** `recsys finetune`: the YAML's keys. */
export const finetuneSchema = z.strictObject({
  ...commonTraining,
  from: path('checkpoint to continue'),
  task: z
    .enum(['next-item', 'label'])
    .default('next-item')
    .describe('rank the next item, or predict a pair’s label'),
  loss: lossName.default('softmax').describe('softmax (cross-entropy), sampled-softmax, bce or mse'),
  negatives: z
    .number()
    .int()
    .min(1)
    .default(256)
    .describe('negatives of sampled-softmax (shared) or bce (a position)'),
  label: labelSchema,
  targets: targetsSchema,
  dropout: z.number().min(0).max(0.95).optional().describe('dropout rate in place of the checkpoint’s own'),
  freeze: z
    .array(z.string().min(1))
    .default([])
    .describe('parameters whose names begin with one of these stay as they are'),
});

export type FinetuneConfig = z.output<typeof finetuneSchema>;

/** Continues any checkpoint on a target dataset; its vocabulary grows by the dataset's new users, items and attributes. */
export async function finetune(
  config: FinetuneConfig,
  source: Dataset,
  from: RestoredModel,
  hooks: StageHooks,
  context: StageContext,
): Promise<TrainedModel> {
  const { dataset, added } = growCatalogue(from.catalogue, source);
  const modelConfig = withDropout(from.config, config.dropout);
  const model = createModel(modelConfig, dataset.catalogue);
  const fresh = model.init(Random.of(config.seed, 'growth'));
  const inits = growTensors(fresh, tensorsOf(from), 'finetune --from');
  context.log('info', 'vocabulary grown', { added });
  const frozen = frozenNames([...inits.keys()], config.freeze);
  const loss = LOSSES[config.loss];
  const store = new ParameterStore(inits, model.constants(), {
    sparseTables: keepsSparse(inits, loss.readsCatalogue),
  });
  const step = compileStep({
    store,
    optimizer: OPTIMIZERS[config.optimizer.name](),
    loss: labelObjective(model, loss),
    frozen: (name) => frozen.has(name),
    l2: config.l2,
    clipNorm: config.clipNorm,
    accumulate: config.accumulate,
    seed: config.seed,
  });
  try {
    const { batches, rows } = taskBatches(model, dataset, config);
    const fit = await runFit(
      'finetune',
      { model, store, step, dataset, batches, rows },
      config,
      hooks,
      context,
    );
    return { config: from.config, catalogue: dataset.catalogue, tensors: fit.best, fit };
  } finally {
    step.dispose();
    store.dispose();
  }
}

function withDropout(config: ModelConfig, dropout: number | undefined): ModelConfig {
  if (dropout === undefined || !('dropout' in config)) return config;
  return { ...config, dropout };
}

/** Parameters a `freeze` list names, whole or by their first parts (`blocks.1` is not `blocks.10`); an entry that names none is CONFIG_INVALID with the names there are. */
export function frozenNames(names: readonly string[], freeze: readonly string[]): Set<string> {
  const frozen = new Set<string>();
  for (const prefix of freeze) {
    const matched = names.filter((n) => `${n}.`.startsWith(prefix.endsWith('.') ? prefix : `${prefix}.`));
    if (matched.length === 0) {
      throw new RecsysError(
        'CONFIG_INVALID',
        `freeze: no parameter begins with "${prefix}" (there are ${names.join(', ')})`,
      );
    }
    for (const n of matched) frozen.add(n);
  }
  if (frozen.size === names.length)
    throw new RecsysError('CONFIG_INVALID', 'freeze: every parameter is frozen, nothing would be trained');
  return frozen;
}
