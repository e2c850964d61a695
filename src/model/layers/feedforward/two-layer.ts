import type * as tf from '@tensorflow/tfjs-core';
import { linear } from '../../../compute/ops/linear.js';
import { constant, glorot } from '../../initial.js';
import type { FeedForward } from './feed-forward.js';

/** hidden(x, W₁, b₁) W₂ + b₂, where `hidden` is a dense layer with its activation. */
export function twoLayer(hidden: (x: tf.Tensor, w: tf.Tensor, bias: tf.Tensor) => tf.Tensor): FeedForward {
  return {
    init(into, name, width, inner, rng) {
      into.set(`${name}.in`, glorot(rng, width, inner));
      into.set(`${name}.inBias`, constant([inner], 0));
      into.set(`${name}.out`, glorot(rng, inner, width));
      into.set(`${name}.outBias`, constant([width], 0));
    },
    apply(params, name, x, rate, pass) {
      const inner = hidden(x, params.get(`${name}.in`), params.get(`${name}.inBias`));
      const out = linear(pass.dropout(inner, rate), params.get(`${name}.out`), params.get(`${name}.outBias`));
      return out as tf.Tensor3D;
    },
  };
}
