import * as tf from '@tensorflow/tfjs-core';
import { splitHeads, visible } from '../../../compute/ops/attention.js';
import { linear } from '../../../compute/ops/linear.js';
import { constant, glorot } from '../../initial.js';
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
  apply(params, name, x, absent, options, _pass, buckets) {
    const { heads, length } = options;
    const inner = headsWidth(options);
    const [batch, steps] = x.shape;
    const weights = tf.concat(
      ['query', 'key', 'value', 'gate'].map((part) => params.get(`${name}.${part}`)),
      1,
    );
    const all = silu(linear(x, weights, undefined));
    const gate = tf.slice(all, [0, 0, 3 * inner], [batch, steps, inner]);
    const qkv = tf.slice(all, [0, 0, 0], [batch, steps, 3 * inner]) as tf.Tensor3D;
    const [query, key, value] = splitHeads(qkv, heads);
    let logits = tf.matMul(query, key, false, true);
    const bias = biasOf(params, name, options, steps, buckets);
    if (bias) logits = tf.add(logits, bias);
    // Divided by the longest length, not this batch's: padding must change nothing.
    const shares = tf.mul(silu(logits), tf.div(visible(absent, options.direction), length)) as tf.Tensor4D;
    const mixed = tf.reshape(tf.transpose(tf.matMul(shares, value), [0, 2, 1, 3]), [batch, steps, inner]);
    const gatedMix = tf.mul(NORMS[options.norm].apply(params, `${name}.norm`, mixed), gate);
    return linear(gatedMix, params.get(`${name}.output`), params.get(`${name}.bias`)) as tf.Tensor3D;
  },
};
