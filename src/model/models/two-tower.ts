import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { INFERENCE } from '../../compute/dropout.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';
import { itemEncoder, userEncoder } from '../entity.js';
import { dotCandidates, dotLogits, paddingConstants, similarItems } from '../factorised.js';
import { itemBias } from '../initial.js';
import { initRecency, recencyConstants, recencyMean } from '../layers/recency.js';
import { SIMILARITIES, SIMILARITY_NAMES } from '../layers/similarity/index.js';
import { initTower, tower } from '../layers/tower.js';
import { defineModel, type Model } from '../model.js';

const schema = z.strictObject({
  name: z.literal('two-tower'),
  width: z
    .number()
    .int()
    .min(2)
    .default(64)
    .describe('width D of the embeddings and of what both towers give'),
  hidden: z
    .array(z.number().int().min(1))
    .min(1)
    .default([128])
    .describe('widths of the hidden layers, of either tower'),
  length: z.number().int().min(1).default(50).describe('how many recent events are read'),
  dropout: z.number().min(0).max(0.95).default(0.2).describe('dropout rate of the user tower'),
  itemAttributes: z.boolean().default(true).describe('add vectors computed from item attributes'),
  userAttributes: z.boolean().default(true).describe('add a vector computed from user attributes'),
  outputBias: z.boolean().default(false).describe('add a learned bias for each item to its score'),
  similarity: z
    .enum(SIMILARITY_NAMES)
    .default('cosine')
    .describe('score of an item: dot product of the towers, or their cosine over the temperature'),
  temperature: z.number().positive().default(0.05).describe('of the cosine similarity'),
});

const BIAS = 'output.bias';
const USER = 'userTower';
const ITEM = 'itemTower';

/**
 * Two towers that meet in one product, for retrieval (Covington, Adams & Sargin 2016; Yi et al. 2019): recent items' mean and user
 * attributes through hidden layers on one side, the item and its attributes on the other. Items have one embedding on both sides.
 */
export const twoTower = defineModel({
  schema,
  create(config, catalogue): Model {
    const { width, length, hidden, dropout } = config;
    const rows = catalogue.items.length;
    const items = itemEncoder(catalogue, width, config.itemAttributes);
    const users = userEncoder(catalogue, width, config.userAttributes);
    const sizes = [width, ...hidden, width];
    const layers = sizes.length - 1;
    const similarity = SIMILARITIES[config.similarity];
    const itemTower = <T extends tf.Tensor>(params: Params, x: T): T =>
      tower(params, ITEM, layers, x, 0, INFERENCE).at(-1)!;
    const scored = similarItems(similarity, {
      all: (params) => itemTower(params, items.all(params)),
      encode: (params, ids) => itemTower(params, items.encode(params, ids)),
    });
    const bias = config.outputBias ? BIAS : undefined;
    return {
      name: 'two-tower',
      width,
      length,
      positional: true,
      dropout,
      layerNames: Array.from({ length: layers }, (_, i) => `${USER}.${i}`),
      stack: Array.from({ length: layers }, (_, i) => [
        `${USER}.${i}`,
        `${ITEM}.${i}`,
        ...(i + 1 === layers ? ['output'] : []),
      ]),
      init(rng) {
        const into: ParameterInits = new Map();
        items.init(rng, into);
        users.init(rng, into);
        initRecency(into, length);
        initTower(into, USER, sizes, rng);
        initTower(into, ITEM, sizes, rng);
        if (bias) into.set(bias, itemBias(rows));
        return into;
      },
      constants() {
        const into: TensorMap = new Map();
        items.constants(into);
        users.constants(into);
        recencyConstants(into, length);
        paddingConstants(into, rows);
        return into;
      },
      encode(params, batch, pass) {
        let x = recencyMean(params, batch.items, items.encode(params, batch.items) as tf.Tensor3D);
        if (config.userAttributes)
          x = tf.add(x, tf.reshape(users.encode(params, batch.users), [-1, 1, width]));
        const found = tower(params, USER, layers, pass.dropout(x, dropout), dropout, pass);
        return { states: similarity.state(found.at(-1)!, config.temperature), layers: found };
      },
      logits: (params, states, candidates) => dotLogits(params, scored, states, candidates, bias),
      candidates: (params, candidates) => dotCandidates(params, scored, candidates, bias),
    };
  },
});
