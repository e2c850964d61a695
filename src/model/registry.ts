import { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { Catalogue } from '../types.js';
import type { Model, ModelDefinition } from './model.js';
import { fastWeights } from './models/fast-weights.js';
import { foldIn } from './models/fold-in.js';
import { gru } from './models/gru.js';
import { linear } from './models/linear.js';
import { mlp } from './models/mlp.js';
import { sparseLinear } from './models/sparse-linear.js';
import { transformer } from './models/transformer.js';
import { twoTower } from './models/two-tower.js';

/** Every model, by its name in the YAML. Adding one: its file in models/ and a line here and in `modelSchema`. */
export const MODELS = {
  transformer,
  gru,
  'two-tower': twoTower,
  mlp,
  linear,
  'sparse-linear': sparseLinear,
  'fast-weights': fastWeights,
  'fold-in': foldIn,
} as const satisfies Record<string, ModelDefinition>;
export type ModelName = keyof typeof MODELS;

/** `model:` in the YAML of pretrain and distill. */
export const modelSchema = z.discriminatedUnion('name', [
  transformer.schema,
  gru.schema,
  twoTower.schema,
  mlp.schema,
  linear.schema,
  sparseLinear.schema,
  fastWeights.schema,
  foldIn.schema,
]);
export type ModelConfig = z.output<typeof modelSchema>;

/** Builds a model from its config (as in a YAML or a checkpoint's manifest). */
export function createModel(config: ModelConfig, catalogue: Catalogue): Model {
  switch (config.name) {
    case 'transformer':
      return transformer.create(config, catalogue);
    case 'gru':
      return gru.create(config, catalogue);
    case 'two-tower':
      return twoTower.create(config, catalogue);
    case 'mlp':
      return mlp.create(config, catalogue);
    case 'linear':
      return linear.create(config, catalogue);
    case 'sparse-linear':
      return sparseLinear.create(config, catalogue);
    case 'fast-weights':
      return fastWeights.create(config, catalogue);
    case 'fold-in':
      return foldIn.create(config, catalogue);
  }
}

/** Reads a model's config out of a checkpoint; a model this version doesn't know is CHECKPOINT_INCOMPATIBLE. */
export function parseModelConfig(value: unknown, where: string): ModelConfig {
  const parsed = modelSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problem = parsed.error.issues.map((i) => `${i.path.join('.') || 'model'}: ${i.message}`).join('; ');
  throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `${where}: unusable model configuration (${problem})`);
}
