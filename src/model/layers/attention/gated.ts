import * as tf from '@tensorflow/tfjs-core';
import { joinHeads, splitHeads, visible } from '../../../compute/ops/attention.js';
import { linear } from '../../../compute/ops/linear.js';
import { constant, glorot } from '../../initial.js';
import { newestPlaces } from '../../select.js';
import { NORMS } from '../norm/index.js';
import { silu } from '../silu.js';
import { type Attention, headsWidth } from './attention.js';
import { biasOf, initBias } from './bias.js';

/**
 * Pointwise gated attention (HSTU: Zhai et al. 2024): U, Q, K, V = silu(x W); (norm(silu(Q Kᵀ + bias) / length · V) ⊙ U) W + b.
 * Without a softmax the weights need not sum to one, so how often something was met is not lost.
 */
export const gated: Attention = {
  init(into, name, options, rng) {
    const { width } = options;
    const inner = headsWidth(options);
    for (const part of ['query', 'key', 'value', 'gate'])
      into.set(`${name}.${part}`, glorot(rng, width, inner));
    into.set(`${name}.output`, glorot(rng, inner, width));
    into.set(`${name}.bias`, constant([width], 0));
    NORMS[options.norm].init(into, `${name}.norm`, inner);
    initBias(into, name, options, rng);
  },
  apply(params, name, x, absent, options, pass, buckets) {
    const { heads, length, direction } = options;
    const steps = x.shape[1];
    const rows = pass.newest ? 1 : steps;
    const of = (from: tf.Tensor3D, ...parts: string[]): tf.Tensor3D => {
      const weights = parts.map((part) => params.get(`${name}.${part}`));
      return silu(linear(from, tf.concat(weights, 1), undefined)) as tf.Tensor3D;
    };
    const [key, value] = splitHeads(of(x, 'key', 'value'), heads, 2);
    const inner = headsWidth(options);
    const asking = of(newestPlaces(x, rows), 'query', 'gate');
    const half = (at: number): tf.Tensor3D => tf.slice(asking, [0, 0, at], [x.shape[0], rows, inner]);
    const [query] = splitHeads(half(0), heads, 1);
    const gate = half(inner);
    let logits = tf.matMul(query!, key!, false, true);
    const bias = biasOf(params, name, options, steps, rows, buckets);
    if (bias) logits = tf.add(logits, bias);
    // Divided by the longest length, not this batch's: padding must change nothing.
    const shares = tf.mul(silu(logits), tf.div(visible(absent, direction, rows), length)) as tf.Tensor4D;
    const mixed = joinHeads(tf.matMul(shares, value!) as tf.Tensor4D);
    const gatedMix = tf.mul(NORMS[options.norm].apply(params, `${name}.norm`, mixed), gate);
    return linear(gatedMix, params.get(`${name}.output`), params.get(`${name}.bias`)) as tf.Tensor3D;
  },
};
