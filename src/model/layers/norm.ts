import type * as tf from '@tensorflow/tfjs-core';
import { layerNorm } from '../../compute/ops/layer-norm.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import { constant } from '../initial.js';

export function initNorm(into: ParameterInits, name: string, width: number): void {
  into.set(`${name}.gain`, constant([width], 1));
  into.set(`${name}.bias`, constant([width], 0));
}

/** Layer normalisation over the last axis, with the gain and bias of `name`. */
export function norm(params: Params, name: string, x: tf.Tensor): tf.Tensor {
  return layerNorm(x, params.get(`${name}.gain`), params.get(`${name}.bias`));
}
