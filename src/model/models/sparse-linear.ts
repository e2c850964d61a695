import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { gatherRows } from '../../compute/gather.js';
import { present } from '../../compute/ops/present.js';
import { scatterSum } from '../../compute/ops/scatter-sum.js';
import { embeddingLookup, type ParameterInits, type Params } from '../../compute/parameters.js';
import type { Catalogue, Query, TensorMap } from '../../types.js';
import { paddingConstants } from '../factorised.js';
import { itemBias } from '../initial.js';
import { defineModel, type Model } from '../model.js';
import { neighbourRows } from '../neighbours.js';

const schema = z.strictObject({
  name: z.literal('sparse-linear'),
  neighbours: z
    .number()
    .int()
    .min(1)
    .default(200)
    .describe('weights K that are kept of an item, or of a value of a user attribute'),
  length: z.number().int().min(1).default(200).describe('how many recent events are read'),
  decay: z
    .number()
    .gt(0)
    .max(1)
    .default(0.8)
    .describe('share of an event’s weight that the one before it has'),
  itemAttributes: z
    .boolean()
    .default(true)
    .describe('when it is fitted, items lend each other weights through the attributes they share'),
  userAttributes: z.boolean().default(true).describe('weights of the values of user attributes, too'),
});

/** d^t of the places of a history, oldest first. */
export function decayWeights(decay: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, t) => decay ** (length - 1 - t));
}

/** Whether the model has rows for users' attribute values. */
export function readsUsers(
  config: { readonly userAttributes: boolean },
  { userFeatures }: Catalogue,
): boolean {
  return config.userAttributes && userFeatures.tokenNames.length > 1 && userFeatures.width > 0;
}

/**
 * Sparse item-to-item weights: score(j) = bias_j + Σ_t d^t B[i_t, j] + Σ_a B[a, j], with t = 0 the newest event and a the values of the
 * user's attributes; of each row of B the K largest weights are kept, as item numbers and values. Fitted in closed form (`ridge`); the
 * values, not the numbers, can be trained on. Its nearest relatives are SLIM (Ning & Karypis 2011) and EASE (Steck 2019).
 */
export const sparseLinear = defineModel({
  schema,
  create(config, catalogue): Model {
    const { neighbours, length, decay } = config;
    const columns = catalogue.items.length;
    const users = readsUsers(config, catalogue);
    const { userFeatures } = catalogue;

    /** Where the items of each line [B, M] stand when the lines of [B, columns] follow one another. */
    const placesOf = (ids: tf.Tensor): tf.Tensor => {
      const lines = tf.mul(tf.range(0, ids.shape[0]!, 1, 'int32'), tf.scalar(columns, 'int32'));
      return tf.add(ids, tf.expandDims(lines, 1));
    };
    /** Sums of the rows of a table at ids [B, M], each `scale` [B, M] times: [B · columns]. */
    const mix = (params: Params, table: string, ids: tf.Tensor2D, scale: tf.Tensor2D): tf.Tensor => {
      const [size, count] = ids.shape;
      const values = tf.mul(params.lookup(`${table}.weights`, ids), tf.expandDims(scale, 2));
      const numbers = gatherRows(params.get(`${table}.neighbours`), tf.reshape(ids, [size * count]));
      const places = placesOf(tf.reshape(numbers, [size, count * neighbours]));
      return scatterSum(tf.reshape(values, [values.size]), tf.reshape(places, [places.size]), size * columns);
    };

    return {
      name: 'sparse-linear',
      width: columns,
      length,
      positional: false,
      layerNames: ['state'],
      init() {
        const into: ParameterInits = new Map();
        neighbourRows('item', columns, 'items', { catalogue, neighbours }, into);
        if (users)
          neighbourRows(
            'user',
            userFeatures.tokenNames.length,
            'userTokens',
            { catalogue, neighbours },
            into,
          );
        into.set('output.bias', itemBias(columns));
        return into;
      },
      constants() {
        const into: TensorMap = new Map();
        paddingConstants(into, columns);
        into.set('decay', { dtype: 'F32', shape: [length], data: decayWeights(decay, length) });
        if (users) {
          const { rows, width, tokens } = userFeatures;
          into.set('user.features.tokens', { dtype: 'I32', shape: [rows, width], data: tokens });
        }
        return into;
      },
      encode(params, batch) {
        const [size, given] = batch.items.shape;
        const steps = Math.min(given, length);
        const items = tf.slice(batch.items, [0, given - steps], [size, steps]);
        const weights = tf.slice(params.get('decay'), [length - steps], [steps]);
        let states = mix(params, 'item', items, tf.mul(present(items), weights) as tf.Tensor2D);
        if (users) {
          const own = gatherRows(params.get('user.features.tokens'), batch.users) as tf.Tensor2D;
          states = tf.add(states, mix(params, 'user', own, present(own)));
        }
        const shaped = tf.reshape(states, [size, 1, columns]) as tf.Tensor3D;
        return { states: shaped, layers: [shaped] };
      },
      logits(params, states, candidates) {
        const [size] = states.shape;
        if (candidates === 'all') {
          const offset = tf.add(params.get('padding.mask'), tf.squeeze(params.get('output.bias'), [1]));
          return tf.add(states, offset) as tf.Tensor2D;
        }
        const bias = tf.squeeze(params.lookup('output.bias', candidates), [candidates.rank]);
        if (candidates.rank === 1) {
          const picked = embeddingLookup(tf.transpose(states), candidates);
          return tf.add(tf.transpose(picked), bias) as tf.Tensor2D;
        }
        const picked = embeddingLookup(tf.reshape(states, [size * columns, 1]), placesOf(candidates));
        return tf.add(tf.squeeze(picked, [2]), bias) as tf.Tensor2D;
      },
      contributions(params, batch, asked) {
        const given = batch.items.shape[1];
        const steps = Math.min(given, length);
        const items = tf.squeeze(tf.slice(batch.items, [0, given - steps], [1, steps]), [0]) as tf.Tensor1D;
        const weights = tf.slice(params.get('decay'), [length - steps], [steps]);
        const scale = tf.reshape(tf.mul(present(items), weights), [steps, 1]);
        const values = tf.mul(params.lookup('item.weights', items), scale);
        const numbers = gatherRows(params.get('item.neighbours'), items);
        const hits = tf.equal(
          tf.expandDims(tf.reshape(numbers, [steps, neighbours]), 1),
          tf.reshape(asked, [1, -1, 1]),
        );
        return tf.sum(
          tf.mul(tf.cast(hits, 'float32'), tf.expandDims(tf.reshape(values, [steps, neighbours]), 1)),
          2,
        ) as tf.Tensor2D;
      },
      direct: (inits) => direct(inits, { neighbours, length, decay }, users ? userFeatures : undefined),
    };
  },
});

function direct(
  inits: ParameterInits,
  { neighbours, length, decay }: { neighbours: number; length: number; decay: number },
  users: Catalogue['userFeatures'] | undefined,
): (query: Query) => Float32Array {
  const rowsOf = (table: string) => ({
    numbers: Int32Array.from(inits.get(`${table}.neighbours`)!.data),
    weights: inits.get(`${table}.weights`)!.data,
  });
  const bias = inits.get('output.bias')!.data;
  const item = rowsOf('item');
  const user = users && rowsOf('user');
  const ages = decayWeights(decay, length);
  return ({ items, user: who }) => {
    const scores = bias.slice();
    scores[0]! -= 1e9;
    const addRow = ({ numbers, weights }: typeof item, row: number, scale: number): void => {
      const end = (row + 1) * neighbours;
      for (let k = row * neighbours; k < end; k++) scores[numbers[k]!]! += scale * weights[k]!;
    };
    for (let t = 1; t <= items.length && t <= length; t++) {
      const at = items[items.length - t]!;
      if (at !== 0) addRow(item, at, ages[length - t]!);
    }
    if (user && users)
      for (let a = who * users.width; a < (who + 1) * users.width; a++)
        if (users.tokens[a] !== 0) addRow(user, users.tokens[a]!, 1);
    return scores;
  };
}
