import * as tf from '@tensorflow/tfjs-core';
import type { Loss } from './loss.js';
import { logSumExp, single, weightedMean } from './reduce.js';

/** Softmax cross-entropy over the whole catalogue: log Σⱼ exp(sⱼ) − s_target, averaged over positions. */
export const softmax: Loss = {
  tasks: { 'next-item': [] },
  readsCatalogue: true,
  compute({ model, params, states, inputs, pass }) {
    const all = model.logits(params, states, 'all', pass);
    const target = single((c) => model.logits(params, states, c, pass), inputs.targets!);
    return weightedMean(tf.sub(logSumExp(all), target), inputs.weights!);
  },
};
