import * as tf from '@tensorflow/tfjs-core';
import type { Loss } from './loss.js';
import { single, weightedMean } from './reduce.js';

/** Mean squared error of a pair's value (a rating). */
export const mse: Loss = {
  tasks: { label: ['labels'] },
  readsCatalogue: false,
  compute({ model, params, states, inputs, pass }) {
    const predicted = single((c) => model.logits(params, states, c, pass), inputs.targets!);
    return weightedMean(tf.square(tf.sub(predicted, inputs.labels!)), inputs.weights!);
  },
};
