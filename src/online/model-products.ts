import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import type { Params } from '../compute/parameters.js';
import type { Model } from '../model/model.js';
import type { ItemProducts } from './learner.js';

/** Items as points of a model by tensors; undefined where its scores are no products. */
export function modelProducts(model: Model, params: Params): ItemProducts | undefined {
  if (!model.candidates) return undefined;
  const { width } = model;
  const valuesOf = async (compute: () => tf.Tensor): Promise<Float32Array> => {
    const result = tf.tidy(compute);
    const values = (await result.data()) as Float32Array;
    result.dispose();
    return values;
  };
  return {
    width,
    vectors: (items) =>
      valuesOf(() => {
        const { vectors, offset } = model.candidates!(params, tf.tensor1d(items, 'int32'));
        return tf.concat([vectors, tf.expandDims(offset, 1)], 1);
      }),
    scores: (state, items) =>
      valuesOf(() =>
        model.logits(params, tf.tensor2d(state, [1, width]), tf.tensor1d(items, 'int32'), INFERENCE),
      ),
  };
}
