import * as tf from '@tensorflow/tfjs-core';
import { logSumExp } from '../../compute/ops/log-sum-exp.js';
import { softmaxLoss } from '../../compute/ops/softmax-loss.js';
import type { Loss } from './loss.js';
import { shares, single, weightedMean } from './reduce.js';

/** Softmax cross-entropy over the whole catalogue: log Σⱼ exp(sⱼ) − s_target, averaged over positions. */
export const softmax: Loss = {
  tasks: { 'next-item': [] },
  readsCatalogue: true,
  compute({ model, params, states, inputs, pass }) {
    const rows = inputs.targets as tf.Tensor1D;
    const weights = inputs.weights!;
    const candidates = model.candidates?.(params, 'all', pass);
    if (candidates) return softmaxLoss({ states, candidates, targets: { rows }, weights: shares(weights) });
    const all = model.logits(params, states, 'all', pass);
    const target = single((c) => model.logits(params, states, c, pass), rows);
    return weightedMean(tf.sub(logSumExp(all), target), weights);
  },
};
