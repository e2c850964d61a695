import * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../compute/dropout.js';
import { causalAttention } from '../../compute/ops/attention.js';
import { linear } from '../../compute/ops/linear.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, glorot } from '../initial.js';

export function initAttention(into: ParameterInits, name: string, width: number, rng: Random): void {
  for (const part of ['query', 'key', 'value', 'output'])
    into.set(`${name}.${part}`, glorot(rng, width, width));
  into.set(`${name}.bias`, constant([width], 0));
}

/** A layer of causal multi-head attention: x [B, L, D], 1 where a position is absent [B, L] → [B, L, D]. */
export function attention(
  params: Params,
  name: string,
  x: tf.Tensor3D,
  absent: tf.Tensor2D,
  heads: number,
  rate: number,
  pass: PassContext,
): tf.Tensor3D {
  const weights = tf.concat(
    ['query', 'key', 'value'].map((part) => params.get(`${name}.${part}`)),
    1,
  );
  const qkv = linear(x, weights, undefined) as tf.Tensor3D;
  const mixed = causalAttention({ qkv, absent, heads, rate }, pass);
  return linear(mixed, params.get(`${name}.output`), params.get(`${name}.bias`)) as tf.Tensor3D;
}
