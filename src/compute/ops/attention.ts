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
  /** Added to the logits, [heads or 1, L, L] or [B, heads, L, L]. */
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

export function composedAttention({ qkv, ...how }: AttentionInputs, pass: PassContext): tf.Tensor3D {
  const [query, key, value] = splitHeads(qkv, how.heads, 3);
  return attend(query!, key!, value!, how, pass);
}

/** What an attention of the last R positions reads: their queries [B, R, D], and of all positions keys and values [B, L, 2D]. */
export interface LastAttentionInputs extends Omit<AttentionInputs, 'qkv'> {
  readonly query: tf.Tensor3D;
  readonly keyValue: tf.Tensor3D;
}

/** The same attention for the last R positions alone → [B, R, D]; a bias is that of their rows, [heads, R, L] or [B, heads, R, L]. */
export function lastAttention(
  { query, keyValue, ...how }: LastAttentionInputs,
  pass: PassContext,
): tf.Tensor3D {
  const [asking] = splitHeads(query, how.heads, 1);
  const [key, value] = splitHeads(keyValue, how.heads, 2);
  return attend(asking!, key!, value!, how, pass);
}

/** Queries [B, heads, R, D / heads] of the last R positions, keys and values [B, heads, L, D / heads] of all → [B, R, D]. */
function attend(
  query: tf.Tensor4D,
  key: tf.Tensor4D,
  value: tf.Tensor4D,
  { absent, direction, rate, bias }: Omit<AttentionInputs, 'qkv'>,
  pass: PassContext,
): tf.Tensor3D {
  const [, , rows, width] = query.shape;
  const scaled = tf.mul(query, 1 / Math.sqrt(width)) as tf.Tensor4D;
  let logits = tf.add(tf.matMul(scaled, key, false, true), maskOf(absent, direction, rows));
  if (bias) logits = tf.add(logits, bias);
  const weights = pass.dropout(tf.softmax(logits), rate) as tf.Tensor4D;
  return joinHeads(tf.matMul(weights, value) as tf.Tensor4D);
}

/** What stands side by side in [B, L, parts · D] → each part's heads [B, heads, L, D / heads]. */
export function splitHeads(x: tf.Tensor3D, heads: number, parts: number): tf.Tensor4D[] {
  const [batch, length, wide] = x.shape;
  const width = wide / parts;
  // Cut while there are three axes: wasm slices more than four one number at a time.
  return Array.from({ length: parts }, (_, i) => {
    const part = tf.slice(x, [0, 0, i * width], [batch, length, width]);
    const split = tf.reshape(part, [batch, length, heads, width / heads]);
    return tf.transpose(split, [0, 2, 1, 3]) as tf.Tensor4D;
  });
}

/** [B, heads, L, D / heads] → [B, L, D]. */
export function joinHeads(x: tf.Tensor4D): tf.Tensor3D {
  const [batch, heads, length, width] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, length, heads * width]);
}

/** Additive mask of the last R positions [B, 1, R, L]: 0 where a position may look, −1e9 and less where it may not. */
function maskOf(absent: tf.Tensor2D, direction: Direction, rows: number): tf.Tensor4D {
  const [batch, length] = absent.shape;
  const constant = (values: Float32Array): tf.Tensor2D =>
    tf.tensor2d(values.subarray((length - rows) * length), [rows, length]);
  const keys = tf.reshape(absent, [batch, 1, 1, length]);
  const asking = tf.slice(absent, [0, length - rows], [batch, rows]);
  const away = direction === 'both' ? tf.add(keys, tf.reshape(asking, [batch, 1, rows, 1])) : keys;
  const hidden = tf.mul(tf.mul(away, constant(otherPositions(length))), -1e9) as tf.Tensor4D;
  if (direction === 'both') return hidden;
  return tf.add(constant(causalMask(length)), hidden) as tf.Tensor4D;
}

/** The same mask as a factor [B, 1, R, L]: 1 where a position may look, 0 where it may not. */
export function visible(absent: tf.Tensor2D, direction: Direction, rows: number): tf.Tensor4D {
  return tf.cast(tf.equal(maskOf(absent, direction, rows), 0), 'float32');
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
