import * as tf from '@tensorflow/tfjs-core';
import { embeddingLookup } from '../parameters.js';
import { type Kernel, kernels, multiplies, saver } from './kernel.js';
import { logSumExp } from './log-sum-exp.js';

/** Candidates of a dot-product model: vectors [C, D] and what is added to each one's logit [C]. */
export interface DotCandidates {
  readonly vectors: tf.Tensor2D;
  readonly offset: tf.Tensor1D;
}

/** The right answers [N] as rows of the candidates; or as candidates of their own beside them, which are masked where equal. */
export type Targets =
  | { readonly rows: tf.Tensor1D }
  | {
      readonly ids: tf.Tensor1D;
      readonly among: tf.Tensor1D;
      readonly vectors: tf.Tensor2D;
      readonly offset: tf.Tensor1D;
    };

export interface SoftmaxLossInputs {
  readonly states: tf.Tensor2D;
  readonly candidates: DotCandidates;
  readonly targets: Targets;
  /** [N], summing to one. */
  readonly weights: tf.Tensor1D;
}

/** Σₙ wₙ (log Σⱼ exp(sₙⱼ) − sₙ,target), with s = state · vector + offset. */
export function softmaxLoss(inputs: SoftmaxLossInputs): tf.Scalar {
  const kernel = kernels();
  return kernel ? fusedSoftmaxLoss(kernel, inputs) : composedSoftmaxLoss(inputs);
}

export function composedSoftmaxLoss({ states, candidates, targets, weights }: SoftmaxLossInputs): tf.Scalar {
  const logits = tf.add(tf.matMul(states, candidates.vectors, false, true), candidates.offset) as tf.Tensor2D;
  const own = ownLogits(states, candidates, targets);
  const losses = tf.sub(
    logSumExp('rows' in targets ? logits : beside(own, logits, targets.ids, targets.among)),
    own,
  );
  return tf.sum(tf.mul(losses, weights)) as tf.Scalar;
}

function ownLogits(states: tf.Tensor2D, candidates: DotCandidates, targets: Targets): tf.Tensor1D {
  const of = (vectors: tf.Tensor, offset: tf.Tensor): tf.Tensor1D =>
    tf.add(tf.sum(tf.mul(states, vectors), 1), offset) as tf.Tensor1D;
  if (!('rows' in targets)) return of(targets.vectors, targets.offset);
  const column = tf.expandDims(candidates.offset, 1) as tf.Tensor2D;
  return of(
    embeddingLookup(candidates.vectors, targets.rows),
    tf.squeeze(embeddingLookup(column, targets.rows), [1]),
  );
}

/** The targets' logits before those of the candidates, with a candidate that is the row's own target out of the way. */
export function beside(
  own: tf.Tensor1D,
  logits: tf.Tensor2D,
  ids: tf.Tensor1D,
  among: tf.Tensor1D,
): tf.Tensor2D {
  const same = tf.cast(tf.equal(tf.expandDims(ids, 1), tf.expandDims(among, 0)), 'float32');
  return tf.concat([tf.expandDims(own, 1), tf.add(logits, tf.mul(same, -1e9))], 1) as tf.Tensor2D;
}

/** The [N, C] logits are never in memory; the gradients are made on the way and scaled by the one that comes from above. */
export function fusedSoftmaxLoss(kernel: Kernel, inputs: SoftmaxLossInputs): tf.Scalar {
  const { states, candidates, targets, weights } = inputs;
  const rows = 'rows' in targets;
  const none = tf.zeros([0]);
  const ids = rows ? targets.rows : targets.ids;
  const among = rows ? tf.zeros([0], 'int32') : targets.among;
  const op = tf.customGrad((...args) => {
    const [states, vectors, offset, targetVectors, targetOffset, save] = args as [
      ...tf.Tensor[],
      unknown,
    ] as tf.Tensor[];
    const [losses, ...gradients] = kernel(
      'RecsysSoftmaxLoss',
      [states!, vectors!, offset!, weights, ids, among, targetVectors!, targetOffset!],
      { flag: { indexed: rows, ...multiplies() } },
      6,
    );
    saver(save)(gradients);
    return {
      value: tf.sum(tf.mul(losses!, weights)),
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        saved.map((g) => tf.mul(g, dy as tf.Tensor)),
    };
  });
  const own = rows ? [tf.zeros([0, states.shape[1]]), none] : [targets.vectors, targets.offset];
  return op(states, candidates.vectors, candidates.offset, ...own) as tf.Scalar;
}
