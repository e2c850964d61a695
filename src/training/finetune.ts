import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { path } from '../config/fields.js';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { adapterSchema, isAdapter, merged } from '../model/adapted.js';
import { withBottlenecks } from '../model/bottlenecks.js';
import { behaviourHeads } from '../model/models/shared-fields.js';
import type { ModelConfig } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { isUnder } from '../model/weights.js';
import type { StageContext } from '../types.js';
import { ewcSchema } from './ewc.js';
import { replaySchema } from './replay.js';
import { commonTraining, supervisedTask } from './schema.js';
import type { StageHooks, TrainedModel } from './stage.js';
import { trainOnLabels } from './supervised.js';

/** `recsys finetune`: the YAML's keys. */
export const finetuneSchema = z
  .strictObject({
    ...commonTraining,
    from: path('checkpoint to continue'),
    ...supervisedTask,
    behaviourHeads: behaviourHeads
      .default(false)
      .describe('give the model a head for each behaviour, which at first changes nothing'),
    dropout: z.number().min(0).max(0.95).optional().describe('dropout rate in place of the checkpoint’s own'),
    l2Start: z
      .number()
      .min(0)
      .default(0)
      .describe('L2 penalty on how far weights are from the checkpoint’s (L2-SP); new rows are left out'),
    ewc: ewcSchema
      .optional()
      .describe(
        'pull by `l2Start` each weight as much as the data of before depends on it (EWC); `l2Start` is the mean',
      ),
    rateDecay: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe('factor of the learning rate from each layer, beginning at the top, to the one below'),
    unfreeze: z
      .number()
      .int()
      .min(0)
      .default(0)
      .describe(
        'epochs after which one more layer trains, beginning with the top one; 0 = all from the first',
      ),
    replay: replaySchema
      .optional()
      .describe('train on a share of the data of before as well, lest it be forgotten'),
    freeze: z
      .array(z.string().min(1))
      .default([])
      .describe('parameters whose names begin with one of these stay as they are'),
    adapter: adapterSchema
      .optional()
      .describe(
        'train a few added weights in place of the model’s own, which stay: several go with one model',
      ),
  })
  .refine((c) => !c.adapter || c.freeze.length === 0, {
    path: ['freeze'],
    message: 'with `adapter` all stay as they are; `adapter.target` says what is added to',
  })
  .refine((c) => !c.adapter || c.l2Start === 0, {
    path: ['l2Start'],
    message: 'with `adapter` the checkpoint’s weights stay; `l2` keeps what is added to them small',
  })
  .refine((c) => !c.ewc || c.l2Start > 0, {
    path: ['ewc'],
    message: 'needs `l2Start` above 0, the mean of the pulls',
  })
  .refine((c) => !c.ewc || !c.replay, {
    path: ['ewc'],
    message: 'with `replay` the data of before is trained on; leave one of them out',
  })
  .refine((c) => !c.adapter || !c.behaviourHeads, {
    path: ['behaviourHeads'],
    message: 'an adapter goes with the model as it is; fine-tune with heads first',
  });

export type FinetuneConfig = z.output<typeof finetuneSchema>;

/**
 * Continues any checkpoint on a target dataset; its vocabulary grows by the dataset's new users, items and attributes.
 * @param before the dataset of `config.replay` or `config.ewc`
 */
export async function finetune(
  config: FinetuneConfig,
  dataset: Dataset,
  from: RestoredModel,
  hooks: StageHooks,
  context: StageContext,
  before?: Dataset,
): Promise<TrainedModel> {
  const { adapter, l2Start, rateDecay, unfreeze } = config;
  const replay = config.replay && before && { ...config.replay, dataset: before };
  const ewc = config.ewc && before && { ...config.ewc, dataset: before };
  const kept = config.behaviourHeads ? withHeads(from.config, config.behaviourHeads) : from.config;
  const modelConfig = withDropout(kept, config.dropout);
  const frozen = (names: readonly string[]): Set<string> => frozenNames(names, config.freeze);
  const trained = await trainOnLabels(
    {
      name: 'finetune',
      modelConfig,
      from,
      frozen,
      l2Start,
      ewc,
      layers: { rateDecay, unfreeze },
      replay,
      adapter,
    },
    config,
    dataset,
    hooks,
    context,
  );
  const whole = { ...trained, config: kept };
  if (!adapter) return whole;
  const tensors = new Map([...trained.tensors].filter(([name]) => isAdapter(name, adapter)));
  const own = { adapter: { config: adapter, tensors } };
  // Layers cannot be merged into weights: the checkpoint is that of a deeper model.
  if (adapter.kind === 'bottleneck') return { ...whole, ...own, config: withBottlenecks(kept, adapter.rank) };
  return { ...whole, ...own, tensors: merged(trained.tensors, tensors, adapter) };
}

function withDropout(config: ModelConfig, dropout: number | undefined): ModelConfig {
  if (dropout === undefined || !('dropout' in config)) return config;
  return { ...config, dropout };
}

function withHeads(config: ModelConfig, heads: FinetuneConfig['behaviourHeads']): ModelConfig {
  if ('behaviourHeads' in config) {
    const { behaviourHeads: had } = config;
    if (!had || isDeepStrictEqual(had, heads)) return { ...config, behaviourHeads: heads };
    throw new RecsysError('CONFIG_INVALID', 'behaviourHeads: the model has heads of another kind', {
      remedy: `Leave it out, or set it to what the checkpoint has: ${JSON.stringify(had)}.`,
    });
  }
  throw new RecsysError(
    'CONFIG_INVALID',
    `behaviourHeads: the model ${config.name} can have none (transformer and gru can)`,
  );
}

/** Parameters a `freeze` list names, whole or by their first parts (`blocks.1` is not `blocks.10`); an entry that names none is CONFIG_INVALID with the names there are. */
export function frozenNames(names: readonly string[], freeze: readonly string[]): Set<string> {
  const frozen = new Set<string>();
  for (const prefix of freeze) {
    const matched = names.filter((n) => isUnder(n, prefix));
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
