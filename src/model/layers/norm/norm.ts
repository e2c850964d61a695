import type * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../../compute/parameters.js';

/** Normalisation of vectors over the last axis, with the parameters under `name`. */
export interface Norm {
  init(into: ParameterInits, name: string, width: number): void;
  apply(params: Params, name: string, x: tf.Tensor): tf.Tensor;
}
