import { adam } from './adam.js';
import type { Optimizer, OptimizerSettings } from './optimizer.js';

/** AdamW (Loshchilov & Hutter 2019, algorithm 2): Adam, and beside it a decay that its moments do not see. */
export function adamw({ weightDecay = 0.01 }: OptimizerSettings = {}): Optimizer {
  return { ...adam(), name: 'adamw', settings: ['weightDecay'], weightDecay };
}
