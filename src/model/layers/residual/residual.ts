import type * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../../compute/parameters.js';
import type { Random } from '../../../random.js';

/** How what a layer found is joined to what it was given, both [B, L, D], with the parameters under `name`. */
export interface Residual {
  init(into: ParameterInits, name: string, width: number, rng: Random): void;
  apply(params: Params, name: string, x: tf.Tensor3D, found: tf.Tensor3D): tf.Tensor3D;
}
