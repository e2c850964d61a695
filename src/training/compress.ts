import { z } from 'zod';
import { path, seed } from '../config/fields.js';
import type { Dataset } from '../data/dataset.js';
import { countNonZero, pruneMagnitude } from '../model/pruning/magnitude.js';
import { PART_NAMES } from '../model/pruning/parts.js';
import { pruneStructure } from '../model/pruning/structured.js';
import type { ModelConfig } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { countWeights } from '../model/weights.js';
import { QUANTIZATIONS } from '../storage/quantization.js';
import type { Catalogue, StageContext, TensorMap } from '../types.js';
import type { FitResult } from './fit.js';
import { commonTraining, supervisedTask, validationSchema } from './schema.js';
import type { StageHooks } from './stage.js';
import { tensorsOf, trainOnLabels } from './supervised.js';

const pruneSchema = z
  .strictObject({
    method: z
      .enum(['magnitude', 'structured'])
      .default('magnitude')
      .describe(
        'magnitude: the smallest weights become 0; structured: whole parts go, and the model is smaller',
      ),
    share: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.5)
      .describe('share that is removed: of each matrix, or of each part'),
    parts: z
      .array(z.enum(PART_NAMES))
      .min(1)
      .optional()
      .describe(
        'structured: what is removed (default channels): attention heads, feed-forward channels, layers, embedding width',
      ),
  })
  .superRefine(({ method, parts }, context) => {
    if (method !== 'magnitude' || parts === undefined) return;
    const message = 'magnitude removes single weights, of every matrix; parts are for `method: structured`';
    context.addIssue({ code: 'custom', path: ['parts'], message });
  });

/** `recsys compress`: the YAML's keys. */
export const compressSchema = z
  .strictObject({
    from: path('checkpoint to compress'),
    data: path('prepared dataset: measured on its validation rows, fine-tuned on its train rows'),
    backend: commonTraining.backend,
    prune: pruneSchema.optional().describe('what is removed; default: nothing'),
    finetune: z
      .strictObject({
        epochs: z.number().int().min(0).default(10).describe('most epochs; 0 = no fine-tuning'),
        optimizer: commonTraining.optimizer,
        batchSize: commonTraining.batchSize,
        accumulate: commonTraining.accumulate,
        l2: commonTraining.l2,
        clipNorm: commonTraining.clipNorm,
        ema: commonTraining.ema,
        precision: commonTraining.precision,
        ...supervisedTask,
      })
      .prefault({})
      .describe('training after pruning, as in `finetune`; pruned weights stay 0'),
    quantize: z
      .enum(QUANTIZATIONS)
      .default('none')
      .describe('how matrices are stored: none (float32), float16, or int8 with a scale for each row'),
    validation: validationSchema,
    latencyQueries: z
      .number()
      .int()
      .min(0)
      .default(100)
      .describe('single requests timed before and after; 0 = none'),
    snapshotSteps: commonTraining.snapshotSteps,
    seed,
  })
  .superRefine(({ prune, quantize }, context) => {
    if (prune !== undefined || quantize !== 'none') return;
    const message = 'there is nothing to do: give quantize (float16 or int8), prune, or both';
    context.addIssue({ code: 'custom', path: ['quantize'], message });
  });

export type CompressConfig = z.output<typeof compressSchema>;

/** A model made smaller, in float32: quantization comes last, when it is stored. */
export interface PrunedModel {
  readonly config: ModelConfig;
  readonly catalogue: Catalogue;
  readonly tensors: TensorMap;
  /** Absent where nothing was trained. */
  readonly fit?: FitResult;
}

/** Prunes a model as the config says, and fine-tunes what is left on the dataset's train rows. */
export async function prune(
  { prune: how, finetune, validation, snapshotSteps, seed }: CompressConfig,
  dataset: Dataset,
  from: RestoredModel,
  hooks: StageHooks,
  context: StageContext,
): Promise<PrunedModel> {
  if (!how) return { config: from.config, catalogue: from.catalogue, tensors: tensorsOf(from.inits) };
  const { pruned, config, inits } =
    how.method === 'magnitude'
      ? { config: from.config, ...pruneMagnitude(from.inits, how.share) }
      : { pruned: undefined, ...pruneStructure(from, how.parts ?? ['channels'], how.share) };
  context.log('info', `pruned (${how.method}, ${how.share})`, {
    parameters: countWeights(inits),
    nonZero: countNonZero(inits.values()),
  });
  if (finetune.epochs === 0) return { config, catalogue: from.catalogue, tensors: tensorsOf(inits) };
  return trainOnLabels(
    {
      name: 'compress',
      modelConfig: config,
      from: { catalogue: from.catalogue, inits },
      ...(pruned ? { keepZeros: pruned } : {}),
    },
    { ...finetune, validation, snapshotSteps, seed, profile: false },
    dataset,
    hooks,
    context,
  );
}
