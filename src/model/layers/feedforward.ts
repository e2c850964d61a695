import type * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../compute/dropout.js';
import { linear } from '../../compute/ops/linear.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, glorot } from '../initial.js';

export function initFeedForward(
  into: ParameterInits,
  name: string,
  width: number,
  inner: number,
  rng: Random,
): void {
  into.set(`${name}.in`, glorot(rng, width, inner));
  into.set(`${name}.inBias`, constant([inner], 0));
  into.set(`${name}.out`, glorot(rng, inner, width));
  into.set(`${name}.outBias`, constant([width], 0));
}

/** Position-wise two-layer network with ReLU: [B, L, D] → [B, L, D]. */
export function feedForward(
  params: Params,
  name: string,
  x: tf.Tensor3D,
  rate: number,
  pass: PassContext,
): tf.Tensor3D {
  const inner = linear(x, params.get(`${name}.in`), params.get(`${name}.inBias`), 'relu');
  const out = linear(pass.dropout(inner, rate), params.get(`${name}.out`), params.get(`${name}.outBias`));
  return out as tf.Tensor3D;
}
