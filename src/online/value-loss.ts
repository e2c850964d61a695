import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import type { Params } from '../compute/parameters.js';
import type { Batch, Inputs } from '../compute/step.js';
import { sequencesOf } from '../model/inputs.js';
import { single } from '../model/losses/reduce.js';
import type { Model } from '../model/model.js';
import type { Reads } from '../model/scorer.js';
import { newestStates } from '../model/select.js';
import type { LearnExample } from './learner.js';
import { packHistories } from './next-item-loss.js';

/** Examples whose events have values as a batch: histories [P, L], `targets` [P], `weights` [P] and `labels` [P], the values. */
export function packValues(examples: readonly LearnExample[], model: Reads, whole = false): Batch {
  const shape = [examples.length];
  return {
    ...packHistories(examples, model, whole),
    labels: { dtype: 'F32', shape, data: Float32Array.from(examples, ({ event }) => event.value!) },
  };
}

/** Weighted sum over a batch of the squared error of each event's value, as foretold from the events before it. */
export function valueLoss(model: Model) {
  return (params: Params, inputs: Inputs): tf.Scalar => {
    const last = newestStates(model, params, sequencesOf(inputs));
    const said = single((items) => model.logits(params, last, items, INFERENCE), inputs.targets!);
    return tf.sum(tf.mul(tf.squaredDifference(said, inputs.labels!), inputs.weights!)) as tf.Scalar;
  };
}
