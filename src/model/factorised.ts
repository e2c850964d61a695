import * as tf from '@tensorflow/tfjs-core';
import type { Params } from '../compute/parameters.js';
import type { EntityEncoder } from './entity.js';
import type { Candidates } from './model.js';

/**
 * Logits of a model whose score is a dot product: state · item vector + item bias.
 * states [N, D]; candidates 'all' → [N, V + 1] with padding at −1e9, shared ids [C] → [N, C], own ids [N, C] → [N, C].
 */
export function dotLogits(
  params: Params,
  items: EntityEncoder,
  states: tf.Tensor2D,
  candidates: Candidates,
  bias: string | undefined,
): tf.Tensor2D {
  if (candidates === 'all') {
    const logits = tf.matMul(states, items.all(params), false, true);
    const offset = tf.add(params.get('padding.mask'), bias ? tf.squeeze(params.get(bias), [1]) : 0);
    return tf.add(logits, offset) as tf.Tensor2D;
  }
  const vectors = items.encode(params, candidates);
  const biases = bias ? tf.squeeze(params.lookup(bias, candidates), [candidates.rank]) : undefined;
  const logits =
    candidates.rank === 1
      ? tf.matMul(states, vectors as tf.Tensor2D, false, true)
      : tf.sum(tf.mul(tf.expandDims(states, 1), vectors), -1);
  return (biases ? tf.add(logits, biases) : logits) as tf.Tensor2D;
}

/** The additive mask [V + 1] that keeps padding out of a ranking. */
export function paddingMask(items: number): Float32Array {
  const mask = new Float32Array(items);
  mask[0] = -1e9;
  return mask;
}
