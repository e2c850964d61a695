import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../../../compute/ops/linear.js';
import { glorot } from '../../initial.js';
import { silu } from '../silu.js';
import type { FeedForward } from './feed-forward.js';

/** (silu(x W₁) ⊙ x W₃) W₂, without biases (SwiGLU: Shazeer 2020): half of the inner layer says how much of the other passes. */
export const swiglu: FeedForward = {
  init(into, name, width, inner, rng) {
    into.set(`${name}.gate`, glorot(rng, width, inner));
    into.set(`${name}.in`, glorot(rng, width, inner));
    into.set(`${name}.out`, glorot(rng, inner, width));
  },
  apply(params, name, x, rate, pass) {
    const gate = silu(linear(x, params.get(`${name}.gate`), undefined));
    const inner = tf.mul(gate, linear(x, params.get(`${name}.in`), undefined));
    return linear(pass.dropout(inner, rate), params.get(`${name}.out`), undefined) as tf.Tensor3D;
  },
};
