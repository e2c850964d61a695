import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { ParameterInits } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';
import { EntityEncoder } from '../entity.js';
import { dotCandidates, dotLogits, paddingMask } from '../factorised.js';
import { constant } from '../initial.js';
import { defineModel, type Model } from '../model.js';

const schema = z.strictObject({
  name: z.literal('linear'),
  width: z.number().int().min(2).default(64).describe('rank D of the item-to-item weights'),
  length: z.number().int().min(1).default(50).describe('how many recent events are read'),
  itemAttributes: z.boolean().default(true).describe('add vectors computed from item attributes'),
  userAttributes: z.boolean().default(true).describe('add a vector computed from user attributes'),
});

/** Lag matrix [L, L]: 1 + (i − j) for j ≤ i, 0 for the future; indexes the recency weights. */
function lags(length: number): Int32Array {
  const out = new Int32Array(length * length);
  for (let i = 0; i < length; i++) for (let j = 0; j <= i; j++) out[i * length + j] = 1 + i - j;
  return out;
}

/**
 * Linear in the user's recent items and attributes: score(j) = bias_j + out_j · (Σ_t a_t in_{i_t} / Σ_t a_t + attributes),
 * a low-rank item-to-item model (FISM: Kabbur, Ning & Karypis 2013) with a learned weight a_t for each recency t.
 */
export const linear = defineModel({
  schema,
  create(config, catalogue): Model {
    const { width, length } = config;
    const rows = catalogue.items.length;
    const input = new EntityEncoder(
      { kind: 'item', ids: true, attributes: config.itemAttributes },
      rows,
      width,
      catalogue.itemFeatures,
    );
    const output = new EntityEncoder(
      { kind: 'item', prefix: 'output', ids: true, attributes: config.itemAttributes },
      rows,
      width,
      catalogue.itemFeatures,
    );
    const users = new EntityEncoder(
      { kind: 'user', ids: false, attributes: config.userAttributes },
      catalogue.users.length,
      width,
      catalogue.userFeatures,
    );
    return {
      name: 'linear',
      width,
      length,
      positional: true,
      layerNames: ['state'],
      init(rng) {
        const into: ParameterInits = new Map();
        input.init(rng, into);
        output.init(rng, into);
        users.init(rng, into);
        into.set('output.bias', { ...constant([rows, 1], 0), table: true, grows: 'items' });
        const recency = new Float32Array(length + 1);
        for (let t = 1; t <= length; t++) recency[t] = -0.1 * (t - 1);
        into.set('recency', { shape: [length + 1, 1], data: recency, table: false });
        return into;
      },
      constants() {
        const into: TensorMap = new Map();
        input.constants(into);
        users.constants(into);
        into.set('padding.mask', { dtype: 'F32', shape: [rows], data: paddingMask(rows) });
        into.set('recency.lags', { dtype: 'I32', shape: [length, length], data: lags(length) });
        return into;
      },
      encode(params, batch, pass) {
        const [size, steps] = batch.items.shape;
        const lag = tf.slice(params.get('recency.lags'), [0, 0], [steps, steps]);
        const causal = tf.cast(tf.greater(lag, 0), 'float32');
        const weights = tf.mul(tf.exp(tf.squeeze(params.lookup('recency', lag), [2])), causal);
        const present = tf.cast(tf.notEqual(batch.items, 0), 'float32');
        const mix = tf.mul(tf.expandDims(weights, 0), tf.expandDims(present, 1)) as tf.Tensor3D;
        const vectors = input.encode(params, batch.items) as tf.Tensor3D;
        const total = tf.add(tf.sum(mix, 2, true), 1e-6);
        let states = tf.div(tf.matMul(mix, vectors), total);
        if (config.userAttributes) {
          states = tf.add(states, tf.reshape(users.encode(params, batch.users), [size, 1, width]));
        }
        states = pass.dropout(states, 0);
        return { states: states as tf.Tensor3D, layers: [states as tf.Tensor3D] };
      },
      logits: (params, states, candidates) => dotLogits(params, output, states, candidates, 'output.bias'),
      candidates: (params, candidates) => dotCandidates(params, output, candidates, 'output.bias'),
    };
  },
});
