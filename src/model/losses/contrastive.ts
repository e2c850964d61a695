import * as tf from '@tensorflow/tfjs-core';
import { logSumExp } from '../../compute/ops/log-sum-exp.js';
import { unit } from '../layers/unit.js';
import { weightedMean } from './reduce.js';

/** Two encodings of the same B sequences. */
export interface Views {
  /** Their newest states, [B, D] each. */
  readonly first: tf.Tensor2D;
  readonly second: tf.Tensor2D;
  /** [B] whose sequence it is: sequences of one user are no negatives of each other. */
  readonly users: tf.Tensor;
  /** [B] 1 where a sequence is, 0 where the row is padding or has no event. */
  readonly present: tf.Tensor;
}

/**
 * InfoNCE over two views (DuoRec: Qiu et al. 2022; with cosines as SimCSE: Gao et al. 2021): each of the 2B views has to find the
 * other one of its sequence among all views of other users, −log(exp(cos(z, z′) / τ) / Σ exp(cos(z, ·) / τ)), averaged over the
 * views of present sequences.
 */
export function contrastive({ first, second, users, present }: Views, temperature: number): tf.Scalar {
  const size = first.shape[0];
  const views = unit(tf.concat([first, second], 0)) as tf.Tensor2D;
  const owners = tf.concat([users, users], 0);
  const there = tf.concat([present, present], 0);
  const logits = tf.div(tf.matMul(views, views, false, true), temperature);
  const partners = tf.tensor2d(partnersOf(size), [2 * size, 2 * size]);
  const others = tf.cast(tf.notEqual(tf.expandDims(owners, 1), tf.expandDims(owners, 0)), 'float32');
  const candidates = tf.maximum(partners, tf.mul(others, tf.expandDims(there, 0)));
  const seen = tf.add(logits, tf.mul(tf.sub(candidates, 1), 1e9)) as tf.Tensor2D;
  return weightedMean(tf.sub(logSumExp(seen), tf.sum(tf.mul(logits, partners), 1)), there);
}

/** [2B, 2B]: 1 where two rows are the two views of one sequence. */
function partnersOf(size: number): Float32Array {
  const out = new Float32Array(4 * size * size);
  for (let i = 0; i < 2 * size; i++) out[i * 2 * size + ((i + size) % (2 * size))] = 1;
  return out;
}
