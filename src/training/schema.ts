import { z } from 'zod';
import { BACKENDS } from '../compute/backend.js';
import { PRECISIONS } from '../compute/ops/kernel.js';
import { OPTIMIZER_NAMES, OPTIMIZERS } from '../compute/optimizers/index.js';
import { path, seed } from '../config/fields.js';
import { LOSS_NAMES } from '../model/losses/index.js';
import { adversarialSchema } from './adversarial.js';
import { contrastiveSchema } from './contrastive.js';
import { SAMPLER_NAMES } from './samplers.js';

/** Keys of single optimizers; `createOptimizer` has their defaults. */
const optimizerSettings = {
  weightDecay: z
    .number()
    .min(0)
    .optional()
    .describe('adamw: share of each matrix, times the rate, taken away a step; default 0.01'),
  momentum: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe('momentum: share of the last update that the next one keeps; default 0.9'),
  l1: z.number().min(0).optional().describe('ftrl: penalty that holds weights at exactly 0; default 0'),
  l2: z.number().min(0).optional().describe('ftrl: penalty that keeps weights small; default 0'),
};

/** Keys that pretrain, distill and finetune share. */
export const optimizerSchema = z
  .strictObject({
    name: z.enum(OPTIMIZER_NAMES).default('adam').describe('update rule'),
    learningRate: z.number().positive().default(1e-3).describe('peak learning rate'),
    warmupSteps: z
      .number()
      .int()
      .min(0)
      .default(0)
      .describe('steps over which the rate rises linearly from 0'),
    decay: z
      .enum(['constant', 'linear', 'cosine'])
      .default('constant')
      .describe('how it falls after the warm-up'),
    finalFraction: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe('share of the peak rate left at the last step'),
    ...optimizerSettings,
  })
  .superRefine((optimizer, context) => {
    const own = OPTIMIZERS[optimizer.name]().settings ?? [];
    for (const key of Object.keys(optimizerSettings) as (keyof typeof optimizerSettings)[]) {
      if (optimizer[key] === undefined || own.includes(key)) continue;
      const able = OPTIMIZER_NAMES.filter((name) => OPTIMIZERS[name]().settings?.includes(key));
      const message = `${optimizer.name} has no such key (${able.join(', ')} has)`;
      context.addIssue({ code: 'custom', path: [key], message });
    }
  })
  .prefault({})
  .describe('optimizer and learning-rate schedule');

export const validationSchema = z
  .strictObject({
    metric: z
      .string()
      .default('ndcg@10')
      .describe(
        'what early stopping watches: a ranking metric at 10, loss, or for the label task validation_loss, validation_accuracy or validation_rmse',
      ),
    every: z.number().int().min(1).default(1).describe('epochs between validations'),
    patience: z
      .number()
      .int()
      .min(0)
      .default(5)
      .describe('validations without improvement before stopping; 0 = never stop'),
    users: z.number().int().min(1).default(2000).describe('at most this many validation users'),
  })
  .prefault({})
  .describe('validation on the dataset’s validation rows');

export const targetsSchema = z
  .strictObject({
    behaviours: z
      .array(z.string())
      .optional()
      .describe('only events of these behaviours are targets; all are inputs'),
    minimumValue: z.number().optional().describe('only events with at least this value (rating) are targets'),
    recent: z.number().int().min(1).optional().describe('only each user’s last n train events are targets'),
    baskets: z
      .boolean()
      .default(false)
      .describe(
        'events of one user at one time are one basket, in no order: each is predicted from what came before all of them',
      ),
    weights: z
      .record(z.string(), z.number().min(0))
      .optional()
      .describe('weight of each behaviour’s targets in the loss, 0: none; default: as the dataset says'),
    unasked: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe(
        'share of the targets that a model with behaviour heads learns without being told their behaviour, so as to say what comes next of any',
      ),
  })
  .prefault({})
  .describe('which events the loss is computed on');

export const labelSchema = z
  .strictObject({
    minimumValue: z.number().optional().describe('label 1 where the value (rating) is at least this, else 0'),
    negatives: z
      .number()
      .int()
      .min(0)
      .default(0)
      .describe('items without interaction drawn a positive, redrawn each epoch'),
  })
  .prefault({})
  .describe('how the label task labels a pair; for mse the label is the value itself');

export const commonTraining = {
  data: path('prepared dataset directory'),
  backend: z.enum(BACKENDS).optional().describe('tensor backend; default: the best one available'),
  optimizer: optimizerSchema,
  epochs: z.number().int().min(1).default(20).describe('most epochs'),
  batchSize: z.number().int().min(1).default(64).describe('sequences (or pairs) a step'),
  accumulate: z.number().int().min(1).default(1).describe('batches whose mean gradient makes one step'),
  l2: z.number().min(0).default(0).describe('L2 penalty on matrices'),
  clipNorm: z.number().min(0).default(5).describe('largest global gradient norm; 0 = no clipping'),
  ema: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      'validate and keep a moving average of the weights, in which each step’s weigh this share of the next one’s (0.999, say); 0 = the weights themselves',
    ),
  precision: z
    .enum(PRECISIONS)
    .default('float32')
    .describe(
      'in what training multiplies matrices; bfloat16 is faster on processors made for it (AMX, AVX-512 BF16)',
    ),
  validation: validationSchema,
  profile: z
    .boolean()
    .default(false)
    .describe('after training, say which operations of a step cost most (native backend)'),
  snapshotSteps: z.number().int().min(1).default(200).describe('steps between resumable snapshots'),
  seed,
};

export const lossName = z.enum(LOSS_NAMES);
export type TargetsConfig = Partial<z.output<typeof targetsSchema>>;
export type LabelConfig = z.output<typeof labelSchema>;
export type OptimizerConfig = z.output<typeof optimizerSchema>;
export type ValidationConfig = z.output<typeof validationSchema>;

/** What is learned from labels; shared by pretrain and finetune. */
export const supervisedTask = {
  task: z
    .enum(['next-item', 'label'])
    .default('next-item')
    .describe('rank the next item, or predict a pair’s label'),
  loss: lossName
    .default('softmax')
    .describe('what is minimised: softmax (cross-entropy), sampled-softmax, bce, gbce or mse'),
  negatives: z
    .number()
    .int()
    .min(1)
    .default(256)
    .describe(
      'negatives of sampled-softmax (shared by the batch), gbce (by a group of positions) or bce (a position)',
    ),
  negativeSampling: z
    .enum(SAMPLER_NAMES)
    .default('uniform')
    .describe(
      'how sampled-softmax draws: uniform, by popularity, from the batch’s targets, or half and half',
    ),
  negativeGroups: z
    .number()
    .int()
    .min(1)
    .default(1)
    .describe('parts of a batch for each of which gbce draws negatives of its own'),
  calibration: z
    .number()
    .min(0)
    .max(1)
    .default(0.75)
    .describe('how far gbce undoes the sampling; 0 = not at all (bce), 1 = in full'),
  masking: z
    .number()
    .gt(0)
    .max(1)
    .default(0.2)
    .describe('share of the items that is hidden while a model of `direction: both` learns'),
  contrastive: contrastiveSchema,
  adversarial: adversarialSchema,
  label: labelSchema,
  targets: targetsSchema,
};
