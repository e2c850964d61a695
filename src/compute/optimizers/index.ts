import { adagrad } from './adagrad.js';
import { adam } from './adam.js';
import type { Optimizer } from './optimizer.js';
import { sgd } from './sgd.js';

/** Every optimizer, by its name in the YAML. */
export const OPTIMIZERS = { adam, adagrad, sgd } as const satisfies Record<string, () => Optimizer>;
export type OptimizerName = keyof typeof OPTIMIZERS;
export const OPTIMIZER_NAMES = Object.keys(OPTIMIZERS) as [OptimizerName, ...OptimizerName[]];
