import * as tf from '@tensorflow/tfjs-core';
import type { DotCandidates } from '../compute/ops/softmax-loss.js';
import type { Params } from '../compute/parameters.js';
import type { TensorMap } from '../types.js';
import type { Similarity } from './layers/similarity/similarity.js';
import type { Candidates } from './model.js';

/** Item vectors as a score reads them: all [V + 1, D], or those of ids of any shape [...ids.shape, D]. */
export interface ItemVectors {
  all(params: Params): tf.Tensor2D;
  encode(params: Params, ids: tf.Tensor): tf.Tensor;
}

/** Item vectors made ready for a similarity. */
export function similarItems({ item }: Similarity, items: ItemVectors): ItemVectors {
  return {
    all: (params) => item(items.all(params)),
    encode: (params, ids) => item(items.encode(params, ids)),
  };
}

/** What the score of a dot-product model is made of: 'all' → V + 1 candidates, padding at −1e9; ids [C] → C candidates. */
export function dotCandidates(
  params: Params,
  items: ItemVectors,
  candidates: Candidates,
  bias: string | undefined,
): DotCandidates {
  if (candidates === 'all') {
    const mask = params.get('padding.mask');
    const offset = bias ? tf.add(mask, tf.squeeze(params.get(bias), [1])) : mask;
    return { vectors: items.all(params), offset: offset as tf.Tensor1D };
  }
  const offset = bias ? tf.squeeze(params.lookup(bias, candidates), [1]) : tf.zeros(candidates.shape);
  return { vectors: items.encode(params, candidates) as tf.Tensor2D, offset: offset as tf.Tensor1D };
}

/**
 * Logits of a model whose score is a dot product: state · item vector + item bias.
 * states [N, D]; candidates 'all' → [N, V + 1] with padding at −1e9, shared ids [C] → [N, C], own ids [N, C] → [N, C].
 */
export function dotLogits(
  params: Params,
  items: ItemVectors,
  states: tf.Tensor2D,
  candidates: Candidates,
  bias: string | undefined,
): tf.Tensor2D {
  if (candidates === 'all') {
    const { vectors, offset } = dotCandidates(params, items, candidates, bias);
    return tf.add(tf.matMul(states, vectors, false, true), offset) as tf.Tensor2D;
  }
  const vectors = items.encode(params, candidates);
  const biases = bias ? tf.squeeze(params.lookup(bias, candidates), [candidates.rank]) : undefined;
  const logits =
    candidates.rank === 1
      ? tf.matMul(states, vectors as tf.Tensor2D, false, true)
      : tf.sum(tf.mul(tf.expandDims(states, 1), vectors), -1);
  return (biases ? tf.add(logits, biases) : logits) as tf.Tensor2D;
}

/** `padding.mask` [V + 1], which is added to logits and keeps padding out of a ranking. */
export function paddingConstants(into: TensorMap, rows: number): void {
  const mask = new Float32Array(rows);
  mask[0] = -1e9;
  into.set('padding.mask', { dtype: 'F32', shape: [rows], data: mask });
}
