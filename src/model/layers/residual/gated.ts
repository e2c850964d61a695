import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../../../compute/ops/linear.js';
import { constant, glorot } from '../../initial.js';
import type { Residual } from './residual.js';

/** x + σ(x W + b) ⊙ found: each value of x decides how much of what was found it takes (LiGR: Borisyuk et al. 2025). */
export const gated: Residual = {
  init(into, name, width, rng) {
    into.set(`${name}.gate`, glorot(rng, width, width));
    into.set(`${name}.bias`, constant([width], 0));
  },
  apply(params, name, x, found) {
    const gate = tf.sigmoid(linear(x, params.get(`${name}.gate`), params.get(`${name}.bias`)));
    return tf.add(x, tf.mul(gate, found));
  },
};
