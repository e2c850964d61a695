import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Inputs } from '../compute/step.js';
import type { SequenceBatch } from './model.js';

/** The histories among a batch's inputs. */
export function sequencesOf({
  users,
  items,
  behaviours,
  masked,
  times,
  values,
  asked,
}: Inputs): SequenceBatch {
  return {
    users: users!,
    items: items as Tensor2D,
    behaviours: behaviours as Tensor2D,
    ...(masked ? { masked: masked as Tensor2D } : {}),
    ...(times ? { times: times as Tensor2D } : {}),
    ...(values ? { values: values as Tensor2D } : {}),
    ...(asked ? { asked: asked as Tensor2D } : {}),
  };
}
