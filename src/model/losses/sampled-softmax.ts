import * as tf from '@tensorflow/tfjs-core';
import { logSumExp } from '../../compute/ops/log-sum-exp.js';
import { beside, softmaxLoss } from '../../compute/ops/softmax-loss.js';
import type { Loss } from './loss.js';
import { shares, single, weightedMean } from './reduce.js';

/**
 * Softmax cross-entropy over the target and K drawn negatives shared by all positions (Jean et al. 2015). A negative that is
 * the position's own target is masked. An item n with probability q_n in each draw is expected K q_n times: −log(K q_n) is added
 * to its logit (Bengio & Senécal 2008), log(V / K) where all are equally likely, so that the loss estimates the full one.
 */
export const sampledSoftmax: Loss = {
  tasks: { 'next-item': ['sharedNegatives'] },
  readsCatalogue: false,
  compute({ model, params, states, inputs, pass }) {
    const among = inputs.negatives as tf.Tensor1D;
    const ids = inputs.targets as tf.Tensor1D;
    const weights = inputs.weights!;
    const negatives = model.candidates?.(params, among, pass);
    const own = model.candidates?.(params, ids, pass);
    if (negatives && own) {
      const offset = tf.add(negatives.offset, inputs.logSampling!) as tf.Tensor1D;
      const candidates = { vectors: negatives.vectors, offset };
      return softmaxLoss({ states, candidates, targets: { ids, among, ...own }, weights: shares(weights) });
    }
    const logits = tf.add(model.logits(params, states, among, pass), inputs.logSampling!) as tf.Tensor2D;
    const target = single((c) => model.logits(params, states, c, pass), ids);
    return weightedMean(tf.sub(logSumExp(beside(target, logits, ids, among)), target), weights);
  },
};
