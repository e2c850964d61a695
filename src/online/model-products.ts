import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import type { ParameterStore } from '../compute/parameters.js';
import type { Model } from '../model/model.js';
import { paramsAdapter, valuesOf } from '../model/user-states.js';
import type { ItemProducts } from './learner.js';
import { MOST_TOGETHER } from './micro-batch.js';
import { recordedStates } from './recorded-states.js';

/** Items as points of a model by tensors, with no table of the store brought to the backend; undefined where its scores are no products. */
export function modelProducts(
  model: Model,
  store: ParameterStore,
): (ItemProducts & { dispose(): void }) | undefined {
  if (!model.candidates) return undefined;
  const { width } = model;
  const params = store.reader();
  const recorded = recordedStates(model, store);
  return {
    width,
    adapt: recorded?.adapt ?? paramsAdapter(model, params).adapt,
    warm: async (pause) => recorded?.warm(MOST_TOGETHER, pause),
    dispose: () => recorded?.dispose(),
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
