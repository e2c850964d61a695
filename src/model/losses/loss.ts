import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
import type { PassContext } from '../../compute/dropout.js';
import type { Params } from '../../compute/parameters.js';
import type { Inputs } from '../../compute/step.js';
import type { Model } from '../model.js';

/** What a loss reads: states [P, D] of the P scored positions, and the batch. */
export interface LossContext {
  readonly model: Model;
  readonly params: Params;
  readonly states: Tensor2D;
  /** Always `targets` [P] and `weights` [P]; besides, what the loss declares in `needs`. */
  readonly inputs: Inputs;
  readonly pass: PassContext;
}

/** Extra inputs a loss asks the batches for. */
export type LossNeed =
  /** `negatives` [K], shared by all positions, and `logSampling` [K]: −log of how often each is expected among K draws. */
  | 'sharedNegatives'
  /** `negatives` [G, K]: of G runs of ⌈P / G⌉ positions, each shares a row. */
  | 'groupedNegatives'
  /** `power` [1]: β of the generalised binary cross-entropy, which follows from how many negatives are drawn. */
  | 'power'
  /** `negatives` [P, n], each position's own (next-item task). */
  | 'ownNegatives'
  /** `labels` [P]: 0/1 (bce) or the value (mse). */
  | 'labels';

export interface Loss {
  /** Tasks the loss can train: `next-item` ranks, `label` predicts a 0/1 label or a value of a pair. */
  readonly tasks: Readonly<Partial<Record<'next-item' | 'label', readonly LossNeed[]>>>;
  /** False where tables can stay sparse (the loss reads only some rows). */
  readonly readsCatalogue: boolean;
  compute(context: LossContext): Scalar;
}
