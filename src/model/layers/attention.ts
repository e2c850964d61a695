import * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../compute/dropout.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, glorot } from '../initial.js';

export function initAttention(into: ParameterInits, name: string, width: number, rng: Random): void {
  for (const part of ['query', 'key', 'value', 'output'])
    into.set(`${name}.${part}`, glorot(rng, width, width));
  into.set(`${name}.bias`, constant([width], 0));
}

/** Additive mask [L, L]: 0 where a position may look (itself and before), −1e9 where it may not. */
export function causalMask(length: number): Float32Array {
  const mask = new Float32Array(length * length);
  for (let i = 0; i < length; i++) mask.fill(-1e9, i * length + i + 1, (i + 1) * length);
  return mask;
}

/** [L, L]: 0 on the diagonal, 1 elsewhere. */
export function otherPositions(length: number): Float32Array {
  return new Float32Array(length * length).map((_, k) => (k % (length + 1) === 0 ? 0 : 1));
}

/**
 * Multi-head scaled dot-product attention (Vaswani et al. 2017).
 * x [B, L, D]; `mask` is added to the attention logits [B, heads, L, L] (broadcast). Returns [B, L, D].
 */
export function attention(
  params: Params,
  name: string,
  x: tf.Tensor3D,
  mask: tf.Tensor,
  heads: number,
  rate: number,
  pass: PassContext,
): tf.Tensor3D {
  const [batch, length, width] = x.shape;
  const flat = tf.reshape(x, [batch * length, width]) as tf.Tensor2D;
  const split = (part: string): tf.Tensor4D => {
    const y = tf.matMul(flat, params.get(`${name}.${part}`) as tf.Tensor2D);
    return tf.transpose(tf.reshape(y, [batch, length, heads, width / heads]), [0, 2, 1, 3]) as tf.Tensor4D;
  };
  const query = tf.mul(split('query'), 1 / Math.sqrt(width / heads));
  const logits = tf.add(tf.matMul(query as tf.Tensor4D, split('key'), false, true), mask);
  const weights = pass.dropout(tf.softmax(logits), rate);
  const mixed = tf.transpose(tf.matMul(weights as tf.Tensor4D, split('value')), [0, 2, 1, 3]);
  const merged = tf.reshape(mixed, [batch * length, width]) as tf.Tensor2D;
  const out = tf.add(
    tf.matMul(merged, params.get(`${name}.output`) as tf.Tensor2D),
    params.get(`${name}.bias`),
  );
  return tf.reshape(out, [batch, length, width]) as tf.Tensor3D;
}
