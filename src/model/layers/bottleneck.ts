import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../../compute/ops/linear.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, normal } from '../initial.js';

/** Weights of a bottleneck of width D and `rank` numbers in the middle; it adds nothing at first. */
export function initBottleneck(
  into: ParameterInits,
  name: string,
  width: number,
  rank: number,
  rng: Random,
): void {
  into.set(`${name}.down`, normal(rng, [width, rank], 1 / Math.sqrt(width)));
  into.set(`${name}.downBias`, constant([rank], 0));
  into.set(`${name}.up`, constant([rank, width], 0));
  into.set(`${name}.upBias`, constant([width], 0));
}

/** x + relu(x · down + b) · up + c (Houlsby et al. 2019); [B, L, D] → [B, L, D]. */
export function bottleneck(params: Params, name: string, x: tf.Tensor): tf.Tensor {
  const inner = linear(x, params.get(`${name}.down`), params.get(`${name}.downBias`), 'relu');
  return tf.add(x, linear(inner, params.get(`${name}.up`), params.get(`${name}.upBias`)));
}
