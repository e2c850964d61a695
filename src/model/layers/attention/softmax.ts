import * as tf from '@tensorflow/tfjs-core';
import { attention, lastAttention } from '../../../compute/ops/attention.js';
import { linear } from '../../../compute/ops/linear.js';
import { constant, glorot } from '../../initial.js';
import { newestPlaces } from '../../select.js';
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
    const [query, key, value] = ['query', 'key', 'value'].map((part) => params.get(`${name}.${part}`));
    const to = (from: tf.Tensor3D, ...weights: tf.Tensor[]): tf.Tensor3D =>
      linear(from, weights.length === 1 ? weights[0]! : tf.concat(weights, 1), undefined) as tf.Tensor3D;
    const steps = x.shape[1];
    const bias = biasOf(params, name, options, steps, pass.newest ? 1 : steps, buckets);
    const how = { absent, heads, direction, rate, ...(bias ? { bias } : {}) };
    const mixed = pass.newest
      ? lastAttention({ query: to(newestPlaces(x, 1), query!), keyValue: to(x, key!, value!), ...how }, pass)
      : attention({ qkv: to(x, query!, key!, value!), ...how }, pass);
    return linear(mixed, params.get(`${name}.output`), params.get(`${name}.bias`)) as tf.Tensor3D;
  },
};
