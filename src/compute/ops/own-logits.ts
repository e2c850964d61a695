import * as tf from '@tensorflow/tfjs-core';
import { embeddingLookup } from '../parameters.js';
import { type Kernel, kernels, saver } from './kernel.js';
import type { DotCandidates } from './softmax-loss.js';

/** Logits of each state's own candidates: states [N, D], all vectors [V, D] and offsets [V], ids [N, C] → [N, C]. */
export function ownLogits(states: tf.Tensor2D, all: DotCandidates, ids: tf.Tensor2D): tf.Tensor2D {
  const kernel = kernels();
  return kernel ? fusedOwnLogits(kernel, states, all, ids) : composedOwnLogits(states, all, ids);
}

export function composedOwnLogits(states: tf.Tensor2D, all: DotCandidates, ids: tf.Tensor2D): tf.Tensor2D {
  const vectors = embeddingLookup(all.vectors, ids);
  const offset = tf.squeeze(embeddingLookup(tf.expandDims(all.offset, 1), ids), [2]);
  return tf.add(tf.sum(tf.mul(tf.expandDims(states, 1), vectors), 2), offset) as tf.Tensor2D;
}

/** The vectors [N, C, D] are never in memory. */
export function fusedOwnLogits(
  kernel: Kernel,
  states: tf.Tensor2D,
  all: DotCandidates,
  ids: tf.Tensor2D,
): tf.Tensor2D {
  const op = tf.customGrad((...args) => {
    const [states, vectors, offset, save] = args as [...tf.Tensor[], unknown] as tf.Tensor[];
    saver(save)([states!, vectors!, ids]);
    return {
      value: kernel('RecsysOwnLogits', [states!, vectors!, offset!, ids], {}, 1)[0]!,
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        kernel('RecsysOwnLogitsGrad', [...saved, dy as tf.Tensor], {}, 3),
    };
  });
  return op(states, all.vectors, all.offset) as tf.Tensor2D;
}
