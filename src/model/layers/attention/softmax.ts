import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../../../compute/ops/attention.js';
import { linear } from '../../../compute/ops/linear.js';
import { constant, glorot } from '../../initial.js';
import { type Attention, headsWidth } from './attention.js';
import { biasOf, initBias } from './bias.js';

/** Scaled dot-product attention (Vaswani et al. 2017): softmax(Q Kᵀ / √d + bias) V. */
export const softmax: Attention = {
  init(into, name, options, rng) {
    const { width } = options;
    const inner = headsWidth(options);
    for (const part of ['query', 'key', 'value']) into.set(`${name}.${part}`, glorot(rng, width, inner));
    into.set(`${name}.output`, glorot(rng, inner, width));
    into.set(`${name}.bias`, constant([width], 0));
    initBias(into, name, options, rng);
  },
  apply(params, name, x, absent, options, pass, buckets) {
    const { heads, direction, dropout: rate } = options;
    const weights = tf.concat(
      ['query', 'key', 'value'].map((part) => params.get(`${name}.${part}`)),
      1,
    );
    const qkv = linear(x, weights, undefined) as tf.Tensor3D;
    const bias = biasOf(params, name, options, x.shape[1], buckets);
    const mixed = attention({ qkv, absent, heads, direction, rate, ...(bias ? { bias } : {}) }, pass);
    return linear(mixed, params.get(`${name}.output`), params.get(`${name}.bias`)) as tf.Tensor3D;
  },
};
