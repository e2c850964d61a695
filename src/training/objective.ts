import * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../compute/dropout.js';
import type { Params } from '../compute/parameters.js';
import type { Inputs } from '../compute/step.js';
import type { Loss } from '../model/losses/loss.js';
import type { Encoded, Model } from '../model/model.js';
import { atPositions } from '../model/select.js';

/** Encodes a batch and picks the states at its positions: [P, D]. */
export function encodeAt(
  model: Model,
  params: Params,
  inputs: Inputs,
  pass: PassContext,
): { encoded: Encoded; states: tf.Tensor2D; length: number } {
  const items = inputs.items as tf.Tensor2D;
  const encoded = model.encode(
    params,
    {
      users: inputs.users!,
      items,
      behaviours: inputs.behaviours as tf.Tensor2D,
      ...(inputs.masked ? { masked: inputs.masked as tf.Tensor2D } : {}),
    },
    pass,
  );
  const length = items.shape[1];
  return { encoded, states: atPositions(encoded.states, inputs.positions!, length), length };
}

/** The scalar a stage minimises on its labels alone. */
export function labelObjective(model: Model, loss: Loss) {
  return (params: Params, inputs: Inputs, pass: PassContext): tf.Scalar => {
    const { states } = encodeAt(model, params, inputs, pass);
    return timesBatchWeight(loss.compute({ model, params, states, inputs, pass }), inputs);
  };
}

/** A batch's mean loss, times its weight where batches differ in how many positions they have. */
export function timesBatchWeight(loss: tf.Scalar, { batchWeight }: Inputs): tf.Scalar {
  return batchWeight ? tf.mul(loss, batchWeight) : loss;
}
