import * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../dropout.js';
import { type Kernel, kernels, multiplies, saver } from './kernel.js';

/** Whom a position sees: itself and those before it, or all. */
export type Direction = 'causal' | 'both';

/** What an attention reads: queries, keys and values side by side [B, L, 3D], and 1 where a position is absent [B, L]. */
export interface AttentionInputs {
  readonly qkv: tf.Tensor3D;
  readonly absent: tf.Tensor2D;
  readonly heads: number;
  readonly direction: Direction;
  /** Dropout rate of the attention weights. */
  readonly rate: number;
  /** Added to the logits, [heads, L, L] or [B, heads, L, L]. */
  readonly bias?: tf.Tensor3D | tf.Tensor4D;
}

/**
 * Multi-head scaled dot-product attention (Vaswani et al. 2017) → [B, L, D]. A position sees itself and the present ones, all or
 * those before it. An absent one sees itself alone, or, in a hole of a causal history, what is before it.
 */
export function attention(inputs: AttentionInputs, pass: PassContext): tf.Tensor3D {
  const kernel = kernels();
  const rate = pass.training ? inputs.rate : 0;
  // The kernel knows no bias.
  if (!kernel || inputs.bias || (rate > 0 && !pass.key)) return composedAttention(inputs, pass);
  return fusedAttention(kernel, { ...inputs, rate }, pass);
}

export function composedAttention(
  { qkv, absent, heads, direction, rate, bias }: AttentionInputs,
  pass: PassContext,
): tf.Tensor3D {
  const [batch, length, wide] = qkv.shape;
  const width = wide / 3;
  const [unscaled, key, value] = splitHeads(qkv, heads);
  const query = tf.mul(unscaled, 1 / Math.sqrt(width / heads)) as tf.Tensor4D;
  let logits = tf.add(tf.matMul(query, key, false, true), maskOf(absent, direction));
  if (bias) logits = tf.add(logits, bias);
  const weights = pass.dropout(tf.softmax(logits), rate) as tf.Tensor4D;
  const mixed = tf.transpose(tf.matMul(weights, value), [0, 2, 1, 3]);
  return tf.reshape(mixed, [batch, length, width]) as tf.Tensor3D;
}

/** Queries, keys and values side by side [B, L, 3D] → each [B, heads, L, D / heads]. */
export function splitHeads(qkv: tf.Tensor3D, heads: number): [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D] {
  const [batch, length, wide] = qkv.shape;
  const width = wide / 3;
  // Cut while there are three axes: wasm slices more than four one number at a time.
  const part = (i: number): tf.Tensor4D =>
    tf.transpose(
      tf.reshape(tf.slice(qkv, [0, 0, i * width], [batch, length, width]), [
        batch,
        length,
        heads,
        width / heads,
      ]),
      [0, 2, 1, 3],
    ) as tf.Tensor4D;
  return [part(0), part(1), part(2)];
}

/** Additive mask [B, 1, L, L]: 0 where a position may look, −1e9 and less where it may not. */
function maskOf(absent: tf.Tensor2D, direction: Direction): tf.Tensor4D {
  const [batch, length] = absent.shape;
  const others = tf.tensor2d(otherPositions(length), [length, length]);
  const keys = tf.reshape(absent, [batch, 1, 1, length]);
  const away = direction === 'both' ? tf.add(keys, tf.reshape(absent, [batch, 1, length, 1])) : keys;
  const hidden = tf.mul(tf.mul(away, others), -1e9) as tf.Tensor4D;
  if (direction === 'both') return hidden;
  return tf.add(tf.tensor2d(causalMask(length), [length, length]), hidden) as tf.Tensor4D;
}

/** The same mask as a factor [B, 1, L, L]: 1 where a position may look, 0 where it may not. */
export function visible(absent: tf.Tensor2D, direction: Direction): tf.Tensor4D {
  return tf.cast(tf.equal(maskOf(absent, direction), 0), 'float32');
}

/** Without the weights [B, heads, L, L] in memory; padding before the first event and what is not seen are not computed on. */
export function fusedAttention(
  kernel: Kernel,
  { qkv, absent, heads, direction, rate }: AttentionInputs,
  pass: PassContext,
): tf.Tensor3D {
  const seed = pass.key?.seed ?? tf.zeros([2], 'int32');
  const attributes = {
    int: { heads, call: pass.key?.next() ?? 0 },
    float: { rate },
    flag: { causal: direction === 'causal', ...multiplies() },
  };
  const op = tf.customGrad((...args) => {
    const [x, save] = args as [tf.Tensor, unknown];
    const [out, logSums] = kernel('RecsysAttention', [x, absent, seed], attributes, 2);
    saver(save)([x, absent, seed, out!, logSums!]);
    return {
      value: out!,
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        kernel('RecsysAttentionGrad', [...saved, dy as tf.Tensor], attributes, 1)[0]!,
    };
  });
  return op(qkv) as tf.Tensor3D;
}

/** Additive mask [L, L]: 0 where a position may look (itself and before), −1e9 where it may not. */
function causalMask(length: number): Float32Array {
  const mask = new Float32Array(length * length);
  for (let i = 0; i < length; i++) mask.fill(-1e9, i * length + i + 1, (i + 1) * length);
  return mask;
}

/** [L, L]: 0 on the diagonal, 1 elsewhere. */
function otherPositions(length: number): Float32Array {
  return new Float32Array(length * length).map((_, k) => (k % (length + 1) === 0 ? 0 : 1));
}
