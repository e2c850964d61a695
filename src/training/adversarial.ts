import { z } from 'zod';
import type { Adversary } from '../compute/adversary.js';
import type { ParameterInits } from '../compute/parameters.js';
import { RecsysError } from '../errors.js';
import { itemTables } from '../model/weights.js';

/** `adversarial` of pretrain and finetune. */
export const adversarialSchema = z
  .strictObject({
    weight: z.number().min(0).default(0).describe('weight in the loss; 0 = off'),
    epsilon: z.number().positive().default(0.5).describe('how far each item’s vector is moved'),
  })
  .prefault({})
  .describe(
    'besides the loss: the same with each item’s vector moved to where the loss grows fastest (APR); a step costs about two',
  );

export type AdversarialConfig = z.output<typeof adversarialSchema>;

/**
 * What the steps of a model are attacked with.
 * @throws CONFIG_INVALID where it has no item embeddings
 */
export function adversaryOf(
  model: string,
  inits: ParameterInits,
  { weight, epsilon }: AdversarialConfig,
): Adversary | undefined {
  if (weight === 0) return undefined;
  const tables = itemTables(inits);
  if (tables.length > 0) return { tables, epsilon, weight };
  throw new RecsysError(
    'CONFIG_INVALID',
    `adversarial.weight: the model ${model} has no item embeddings that could be moved`,
    { remedy: 'Take a model whose items have vectors of their own, or set `adversarial.weight: 0`.' },
  );
}
