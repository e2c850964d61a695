import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { newestPlaces } from '../select.js';

/** The newest places of a batch, P in all, by the behaviour that each is asked about. */
export interface AskedPlaces {
  /** [P, behaviours] 1 for the behaviour asked about; all 0 where it is none in particular. */
  readonly chosen: tf.Tensor2D;
  /** What each place has [P, W], in the place of its behaviour and 0 in the others [P, behaviours · W]: one product with the weights of all then does for each. */
  placed(values: tf.Tensor): tf.Tensor2D;
}

/** How states answer what comes next of one behaviour. Nothing is moved at first, so that a model that is given heads answers as it did before. */
export interface Heads {
  init(into: ParameterInits, rng: Random): void;
  /** What is added to states [P, D], by the behaviour that each is asked about: [P, D]; 0 where that is none in particular. */
  moves(params: Params, states: tf.Tensor2D, asked: AskedPlaces): tf.Tensor2D;
}

/** @param asked [B, L] behaviours + 1, 0 for none in particular @param steps newest positions wanted of each row */
export function askedPlaces(asked: tf.Tensor2D, steps: number, behaviours: number): AskedPlaces {
  const places = asked.shape[0] * steps;
  const asks = newestPlaces(asked, steps);
  const codes = tf.tensor2d(
    Int32Array.from({ length: behaviours }, (_, b) => b + 1),
    [1, behaviours],
    'int32',
  );
  const chosen = tf.cast(tf.equal(tf.reshape(asks, [places, 1]), codes), 'float32') as tf.Tensor2D;
  return {
    chosen,
    placed(values) {
      const width = values.size / places;
      const one = tf.mul(tf.reshape(chosen, [places, behaviours, 1]), tf.reshape(values, [places, 1, width]));
      return tf.reshape(one, [places, behaviours * width]) as tf.Tensor2D;
    },
  };
}

/** Rows from 1 on of a parameter [behaviours + 1, inputs, outputs] as one matrix [behaviours · inputs, outputs]. */
export function ofBehaviours(weights: tf.Tensor): tf.Tensor2D {
  const [rows, inputs, outputs] = weights.shape as [number, number, number];
  const own = tf.slice(weights, [1, 0, 0], [rows - 1, inputs, outputs]);
  return tf.reshape(own, [(rows - 1) * inputs, outputs]) as tf.Tensor2D;
}
