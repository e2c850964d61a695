import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { linear } from '../../compute/ops/linear.js';
import type { ParameterInits } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';
import { itemEncoder, userEncoder } from '../entity.js';
import { EventEncoder } from '../events.js';
import { dotCandidates, dotLogits, paddingConstants } from '../factorised.js';
import { BehaviourHeads } from '../heads/heads.js';
import { constant, glorot } from '../initial.js';
import { initRecurrent, recurrent } from '../layers/gru.js';
import { initLongTerm, longTermConstants, withLongTerm } from '../layers/long-term.js';
import { defineModel, type Model } from '../model.js';
import { stackOf } from '../stack.js';
import { headFields, longTermFields } from './shared-fields.js';

const schema = z.strictObject({
  name: z.literal('gru'),
  width: z.number().int().min(2).default(64).describe('width D of the item vectors'),
  hidden: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe(
      'width of the recurrent states, projected to D for the scores; default: D, without a projection',
    ),
  depth: z.number().int().min(1).default(1).describe('number of recurrent layers'),
  length: z.number().int().min(1).default(50).describe('longest history read, in events'),
  ...longTermFields,
  dropout: z.number().min(0).max(0.95).default(0.2).describe('dropout rate of the inputs and states'),
  itemAttributes: z.boolean().default(true).describe('add vectors computed from item attributes'),
  userAttributes: z.boolean().default(false).describe('add a vector computed from user attributes'),
  behaviours: z.boolean().default(true).describe('add a vector for the behaviour type of each event'),
  ...headFields,
  tied: z.boolean().default(true).describe('items have one vector as input and output; false: two'),
});

/**
 * Gated recurrent units over a user's events, oldest first (GRU4Rec: Hidasi et al. 2016), whose state, projected where its width
 * differs, is multiplied with the item vectors.
 */
export const gru = defineModel({
  schema,
  create(config, catalogue): Model {
    const { width, length, depth, dropout } = config;
    const hidden = config.hidden ?? width;
    const items = itemEncoder(catalogue, width, config.itemAttributes);
    const output = config.tied ? items : itemEncoder(catalogue, width, config.itemAttributes, 'output');
    const users = userEncoder(catalogue, width, config.userAttributes);
    const events = new EventEncoder(items, width, catalogue.behaviours, config.behaviours);
    const heads = new BehaviourHeads(catalogue, width, config.behaviourHeads);
    const longTerm = config.shortTerm === undefined ? undefined : { width, length, after: config.shortTerm };
    const layerNames = Array.from({ length: depth }, (_, i) => `layers.${i}`);
    return {
      name: 'gru',
      width,
      length,
      positional: true,
      readsAsked: heads.there,
      dropout,
      layerNames,
      stack: stackOf(layerNames, 'projection', 'longTerm', 'output'),
      init(rng) {
        const into: ParameterInits = new Map();
        items.init(rng, into);
        users.init(rng, into);
        events.init(rng, into);
        layerNames.forEach((name, i) => {
          initRecurrent(into, name, i === 0 ? width : hidden, hidden, rng);
        });
        if (config.hidden !== undefined) {
          into.set('projection.weight', glorot(rng, hidden, width));
          into.set('projection.bias', constant([width], 0));
        }
        if (longTerm) initLongTerm(into, longTerm, rng);
        heads.init(into, rng);
        if (!config.tied) output.init(rng, into);
        return into;
      },
      constants() {
        const into: TensorMap = new Map();
        items.constants(into);
        users.constants(into);
        if (longTerm) longTermConstants(into, longTerm);
        paddingConstants(into, catalogue.items.length);
        return into;
      },
      encode(params, batch, pass) {
        const absent = tf.cast(tf.equal(batch.items, 0), 'float32') as tf.Tensor2D;
        const met = events.encode(params, batch) as tf.Tensor3D;
        let x: tf.Tensor = pass.dropout(met, dropout);
        const layers: tf.Tensor3D[] = [];
        for (const name of layerNames) {
          const states = recurrent(params, name, x as tf.Tensor3D, absent);
          layers.push(states);
          x = pass.dropout(states, dropout);
        }
        if (config.hidden !== undefined)
          x = linear(x, params.get('projection.weight'), params.get('projection.bias'));
        if (longTerm) x = withLongTerm(params, x as tf.Tensor3D, batch.items, met, longTerm);
        if (config.userAttributes)
          x = tf.add(x, tf.reshape(users.encode(params, batch.users), [-1, 1, width]));
        return { states: heads.apply(params, x as tf.Tensor3D, batch), layers };
      },
      logits: (params, states, candidates) => dotLogits(params, output, states, candidates, undefined),
      candidates: (params, candidates) => dotCandidates(params, output, candidates, undefined),
    };
  },
});
