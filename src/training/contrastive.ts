import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { present } from '../compute/ops/present.js';
import type { Inputs } from '../compute/step.js';
import { RecsysError } from '../errors.js';
import { contrastive } from '../model/losses/contrastive.js';
import type { Encoded, Model } from '../model/model.js';
import { atLast } from '../model/select.js';

/** `contrastive` of pretrain and finetune. */
export const contrastiveSchema = z
  .strictObject({
    weight: z.number().min(0).default(0).describe('weight in the loss; 0 = off'),
    temperature: z
      .number()
      .positive()
      .default(0.05)
      .describe('a lower one heeds the most similar of the other sequences more'),
  })
  .prefault({})
  .describe(
    'besides the loss: each sequence, encoded twice under other dropout, has to be told from those of other users (DuoRec)',
  );

export type ContrastiveConfig = z.output<typeof contrastiveSchema>;

/** Throws CONFIG_INVALID where the two encodings of a sequence would be equal. */
export function requireDropout(model: Model, { weight }: ContrastiveConfig): void {
  if (weight === 0 || (model.dropout ?? 0) > 0) return;
  throw new RecsysError(
    'CONFIG_INVALID',
    `contrastive.weight: the model ${model.name} reads histories without dropout, so that both encodings of one are equal`,
    {
      remedy:
        'Take a transformer, gru or two-tower with a `dropout` above 0, or set `contrastive.weight: 0`.',
    },
  );
}

/** How badly a batch's sequences are told apart, by two encodings of them. */
export function contrast(
  inputs: Inputs,
  first: Encoded,
  second: Encoded,
  { temperature }: ContrastiveConfig,
): tf.Scalar {
  const items = inputs.items as tf.Tensor2D;
  const [size, steps] = items.shape;
  const newest = tf.reshape(tf.slice(items, [0, steps - 1], [size, 1]), [size]);
  const views = {
    first: atLast(first.states),
    second: atLast(second.states),
    users: inputs.users!,
    present: present(newest),
  };
  return contrastive(views, temperature);
}
