import { bce } from './bce.js';
import { gbce } from './gbce.js';
import type { Loss } from './loss.js';
import { mse } from './mse.js';
import { sampledSoftmax } from './sampled-softmax.js';
import { softmax } from './softmax.js';

/** Every loss on labels, by its name in the YAML. */
export const LOSSES = {
  softmax,
  'sampled-softmax': sampledSoftmax,
  bce,
  gbce,
  mse,
} as const satisfies Record<string, Loss>;
export type LossName = keyof typeof LOSSES;
export const LOSS_NAMES = Object.keys(LOSSES) as [LossName, ...LossName[]];
