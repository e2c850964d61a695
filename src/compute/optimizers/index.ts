import { adagrad } from './adagrad.js';
import { adam } from './adam.js';
import { adamw } from './adamw.js';
import { ftrl } from './ftrl.js';
import { momentum } from './momentum.js';
import type { Optimizer, OptimizerSettings } from './optimizer.js';
import { sgd } from './sgd.js';

type OptimizerFactory = (settings?: OptimizerSettings) => Optimizer;

/** Every optimizer, by its name in the YAML. */
export const OPTIMIZERS = {
  adam,
  adamw,
  adagrad,
  ftrl,
  momentum,
  sgd,
} as const satisfies Record<string, OptimizerFactory>;
export type OptimizerName = keyof typeof OPTIMIZERS;
export const OPTIMIZER_NAMES = Object.keys(OPTIMIZERS) as [OptimizerName, ...OptimizerName[]];

/** An optimizer with its settings, as in a YAML; those of others are left aside. */
export function createOptimizer(config: { readonly name: OptimizerName } & OptimizerSettings): Optimizer {
  const create: OptimizerFactory = OPTIMIZERS[config.name];
  return create(config);
}
