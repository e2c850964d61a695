import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { ParameterInits } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';
import { itemEncoder, userEncoder } from '../entity.js';
import { dotCandidates, dotLogits, paddingConstants } from '../factorised.js';
import { itemBias } from '../initial.js';
import { initRecency, recencyConstants, recencyMean, recencyShares } from '../layers/recency.js';
import { defineModel, type Model } from '../model.js';
import { PlainLinear } from '../plain/linear.js';

const schema = z.strictObject({
  name: z.literal('linear'),
  width: z.number().int().min(2).default(64).describe('rank D of the item-to-item weights'),
  length: z.number().int().min(1).default(50).describe('how many recent events are read'),
  itemAttributes: z.boolean().default(true).describe('add vectors computed from item attributes'),
  userAttributes: z.boolean().default(true).describe('add a vector computed from user attributes'),
});

/**
 * Linear in the user's recent items and attributes: score(j) = bias_j + out_j · (Σ_t a_t in_{i_t} / Σ_t a_t + attributes),
 * a low-rank item-to-item model (FISM: Kabbur, Ning & Karypis 2013) with a learned weight a_t for each recency t.
 */
export const linear = defineModel({
  schema,
  create(config, catalogue): Model {
    const { width, length } = config;
    const rows = catalogue.items.length;
    const input = itemEncoder(catalogue, width, config.itemAttributes);
    const output = itemEncoder(catalogue, width, config.itemAttributes, 'output');
    const users = userEncoder(catalogue, width, config.userAttributes);
    return {
      name: 'linear',
      width,
      length,
      positional: true,
      layerNames: ['state'],
      stack: [['output']],
      init(rng) {
        const into: ParameterInits = new Map();
        input.init(rng, into);
        output.init(rng, into);
        users.init(rng, into);
        into.set('output.bias', itemBias(rows));
        initRecency(into, length);
        return into;
      },
      constants() {
        const into: TensorMap = new Map();
        input.constants(into);
        users.constants(into);
        paddingConstants(into, rows);
        recencyConstants(into, length);
        return into;
      },
      encode(params, batch, pass) {
        let states = recencyMean(params, batch.items, input.encode(params, batch.items) as tf.Tensor3D);
        if (config.userAttributes) {
          states = tf.add(states, tf.reshape(users.encode(params, batch.users), [-1, 1, width]));
        }
        states = pass.dropout(states, 0);
        return { states, layers: [states] };
      },
      logits: (params, states, candidates) => dotLogits(params, output, states, candidates, 'output.bias'),
      contributions(params, batch, items) {
        const shares = recencyShares(params, batch.items);
        const vectors = tf.squeeze(input.encode(params, batch.items), [0]);
        const ones = tf.matMul(
          vectors as tf.Tensor2D,
          output.encode(params, items) as tf.Tensor2D,
          false,
          true,
        );
        return tf.mul(tf.reshape(shares, [-1, 1]), ones) as tf.Tensor2D;
      },
      candidates: (params, candidates) => dotCandidates(params, output, candidates, 'output.bias'),
      plain: (inits) => new PlainLinear(inits, catalogue, width, length),
    };
  },
});
