import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
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
): { encoded: Encoded; states: Tensor2D; length: number } {
  const items = inputs.items as Tensor2D;
  const encoded = model.encode(
    params,
    { users: inputs.users!, items, behaviours: inputs.behaviours as Tensor2D },
    pass,
  );
  const length = items.shape[1];
  return { encoded, states: atPositions(encoded.states, inputs.positions!, length), length };
}

/** The scalar a stage minimises on its labels alone. */
export function labelObjective(model: Model, loss: Loss) {
  return (params: Params, inputs: Inputs, pass: PassContext): Scalar => {
    const { states } = encodeAt(model, params, inputs, pass);
    return loss.compute({ model, params, states, inputs, pass });
  };
}
