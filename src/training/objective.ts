import * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../compute/dropout.js';
import type { Params } from '../compute/parameters.js';
import type { Inputs } from '../compute/step.js';
import { sequencesOf } from '../model/inputs.js';
import type { Loss } from '../model/losses/loss.js';
import type { Encoded, Model } from '../model/model.js';
import { atPositions } from '../model/select.js';
import { type ContrastiveConfig, contrast } from './contrastive.js';

/** Encodes a batch and picks the states at its positions: [P, D]. */
export function encodeAt(
  model: Model,
  params: Params,
  inputs: Inputs,
  pass: PassContext,
): { encoded: Encoded; states: tf.Tensor2D; length: number } {
  const encoded = model.encode(params, sequencesOf(inputs), pass);
  const length = inputs.items!.shape[1]!;
  return { encoded, states: atPositions(encoded.states, inputs.positions!, length), length };
}

/** The scalar a stage minimises without a teacher. Outside training, where nothing is dropped, it is that of the labels alone. */
export function labelObjective(model: Model, loss: Loss, also?: ContrastiveConfig) {
  return (params: Params, inputs: Inputs, pass: PassContext): tf.Scalar => {
    const { encoded, states } = encodeAt(model, params, inputs, pass);
    const labelled = timesBatchWeight(loss.compute({ model, params, states, inputs, pass }), inputs);
    if (!also || also.weight === 0 || !pass.training) return labelled;
    // The pass goes on counting: other masks.
    const again = model.encode(params, sequencesOf(inputs), pass);
    const apart = contrast(inputs, encoded, again, also);
    return tf.add(labelled, tf.mul(apart, also.weight));
  };
}

/** A batch's mean loss, times its weight where batches differ in how many positions they have. */
export function timesBatchWeight(loss: tf.Scalar, { batchWeight }: Inputs): tf.Scalar {
  return batchWeight ? tf.mul(loss, batchWeight) : loss;
}
