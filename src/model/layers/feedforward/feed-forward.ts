import type * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../../compute/dropout.js';
import type { ParameterInits, Params } from '../../../compute/parameters.js';
import type { Random } from '../../../random.js';

/** A position-wise network, [B, L, D] → [B, L, D], with the parameters under `name`. */
export interface FeedForward {
  init(into: ParameterInits, name: string, width: number, inner: number, rng: Random): void;
  /** `rate`: dropout rate of the inner layer. */
  apply(params: Params, name: string, x: tf.Tensor3D, rate: number, pass: PassContext): tf.Tensor3D;
}
