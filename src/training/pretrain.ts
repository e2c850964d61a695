import { z } from 'zod';
import { path, presets } from '../config/fields.js';
import type { Dataset } from '../data/dataset.js';
import { modelSchema } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import type { StageContext } from '../types.js';
import { adversaryOf } from './adversarial.js';
import { PRESET_NAMES, PRESETS } from './presets.js';
import { ridgeSchema } from './ridge/schema.js';
import { fitToLabels } from './ridge/stages.js';
import { commonTraining, supervisedTask } from './schema.js';
import type { StageHooks, TrainedModel } from './stage.js';
import { trainOnLabels } from './supervised.js';

/** `recsys pretrain`: the YAML's keys. */
export const pretrainSchema = z
  .strictObject({
    preset: z
      .enum(PRESET_NAMES)
      .optional()
      .describe('a known model: defaults for the keys below, under what is written here'),
    ...commonTraining,
    from: path(
      'checkpoint whose pretraining is continued on this data; its model and vocabulary are kept and grow',
    ).optional(),
    model: modelSchema.prefault({ name: 'transformer' }).describe('the teacher; ignored with `from`'),
    ...supervisedTask,
    ridge: ridgeSchema,
  })
  .register(presets, PRESETS);

export type PretrainConfig = z.output<typeof pretrainSchema>;

/** Trains a teacher on a dataset's train rows, from scratch or (`from`) continuing a checkpoint. */
export async function pretrain(
  config: PretrainConfig,
  dataset: Dataset,
  from: RestoredModel | undefined,
  hooks: StageHooks,
  context: StageContext,
): Promise<TrainedModel> {
  if (!from && config.model.name === 'sparse-linear') {
    adversaryOf(config.model.name, new Map(), config.adversarial);
    return fitToLabels({ ...config, model: config.model }, dataset, hooks, context);
  }
  const modelConfig = from?.config ?? config.model;
  return trainOnLabels({ name: 'pretrain', modelConfig, from }, config, dataset, hooks, context);
}
