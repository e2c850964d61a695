import type { OptimizerConfig } from './schema.js';

/** Learning rate of a step (from 1): linear warm-up to the peak, then constant, linear or cosine decay to a fraction of it. */
export function learningRate(config: OptimizerConfig, step: number, totalSteps: number): number {
  const { learningRate: peak, warmupSteps, decay, finalFraction } = config;
  if (step <= warmupSteps) return (peak * step) / warmupSteps;
  if (decay === 'constant') return peak;
  const span = Math.max(1, totalSteps - warmupSteps);
  const done = Math.min(1, (step - warmupSteps) / span);
  const shape = decay === 'linear' ? 1 - done : 0.5 * (1 + Math.cos(Math.PI * done));
  return peak * (finalFraction + (1 - finalFraction) * shape);
}
