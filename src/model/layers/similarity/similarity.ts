import type * as tf from '@tensorflow/tfjs-core';

/** How a state and an item vector are made ready so that their dot product is the logit. */
export interface Similarity {
  state<T extends tf.Tensor>(x: T, temperature: number): T;
  item<T extends tf.Tensor>(x: T): T;
}
