import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { PassContext } from '../../compute/dropout.js';
import { present } from '../../compute/ops/present.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';
import { DecisionLayers } from '../adaptation/decision.js';
import { ColdItemEncoder } from '../cold.js';
import { EntityEncoder } from '../entity.js';
import { paddingConstants } from '../factorised.js';
import { constant, glorot } from '../initial.js';
import { defineModel, type Model } from '../model.js';
import { newestPlaces } from '../select.js';
import { stackOf } from '../stack.js';
import { coldItemFields, idDropout, valueFields } from './shared-fields.js';

const schema = z.strictObject({
  name: z.literal('mlp'),
  width: z.number().int().min(2).default(32).describe('width of the user and item embeddings'),
  hidden: z.array(z.number().int().min(1)).min(1).default([64, 32]).describe('widths of the hidden layers'),
  user: z
    .enum(['id', 'history', 'both', 'attributes'])
    .default('both')
    .describe(
      'what a user is: an embedding of the id, the mean of the recent items, their sum, or attributes alone',
    ),
  values: z
    .boolean()
    .default(false)
    .describe('read the values of recent events too: the mean of the items, each times its value, is added'),
  length: z.number().int().min(1).default(20).describe('how many recent events `history` reads'),
  dropout: z.number().min(0).max(0.95).default(0).describe('dropout rate of the hidden layers'),
  ...coldItemFields,
  idDropout: idDropout(0),
  ...valueFields,
});

/**
 * User vector ⊕ item vector → hidden layers with ReLU → one logit (the multi-layer perceptron of neural collaborative
 * filtering: He et al. 2017). The first layer is applied to the two halves apart and added, which equals applying it to
 * their concatenation and lets many items share one user's half.
 */
export const mlp = defineModel({
  schema,
  create(config, catalogue): Model {
    const { width, hidden, center = 0 } = config;
    const first = hidden[0]!;
    const rows = catalogue.items.length;
    const items = new ColdItemEncoder(catalogue, width, {
      ids: config.itemIds,
      attributes: config.itemAttributes,
      idDropout: config.idDropout,
    });
    const readsHistory = config.user === 'history' || config.user === 'both';
    const readsValues = readsHistory && config.values;
    const users = new EntityEncoder(
      {
        kind: 'user',
        ids: config.user === 'id' || config.user === 'both',
        attributes: config.userAttributes,
      },
      catalogue.users.length,
      width,
      catalogue.userFeatures,
    );
    return {
      name: 'mlp',
      width,
      length: config.length,
      positional: false,
      ...(readsValues ? { readsValues: { center } } : {}),
      layerNames: ['user'],
      stack: stackOf(
        config.hidden.map((_, i) => `hidden.${i}`),
        'logit',
      ),
      init(rng) {
        const into: ParameterInits = new Map();
        users.init(rng, into);
        items.init(rng, into);
        if (readsValues) {
          into.set('value.items', glorot(rng, width, width));
          into.set('value.mean', constant([width], 0));
        }
        new DecisionLayers(width, hidden).init(rng, into);
        return into;
      },
      constants() {
        const into: TensorMap = new Map();
        users.constants(into);
        items.constants(into);
        paddingConstants(into, rows);
        return into;
      },
      encode(params, batch, pass) {
        const size = batch.users.size;
        let state = users.encode(params, batch.users);
        if (readsHistory) {
          const ids = newestPlaces(batch.items, config.length);
          const vectors = items.encode(params, ids, pass);
          const shown = tf.expandDims(present(ids), 2);
          state = tf.add(state, meanOf(vectors, shown));
          if (readsValues) {
            const values = tf.expandDims(newestPlaces(batch.values!, config.length), 2);
            const rated = meanOf(tf.mul(vectors, values), shown) as tf.Tensor2D;
            const mean = tf.mul(meanOf(values, shown), params.get('value.mean'));
            state = tf.add(tf.add(state, tf.matMul(rated, params.get('value.items') as tf.Tensor2D)), mean);
          }
        }
        const states = tf.reshape(state, [size, 1, width]) as tf.Tensor3D;
        return { states, layers: [states] };
      },
      logits(params, states, candidates, pass) {
        const [n] = states.shape;
        const userHalf = tf.matMul(states, params.get('hidden.0.user') as tf.Tensor2D);
        const vectors =
          candidates === 'all' ? items.all(params, pass) : items.encode(params, candidates, pass);
        const flat = tf.reshape(vectors, [-1, width]) as tf.Tensor2D;
        const itemHalf = tf.matMul(flat, params.get('hidden.0.item') as tf.Tensor2D);
        const perState = candidates !== 'all' && candidates.rank === 2;
        const count = perState ? candidates.shape[1]! : flat.shape[0];
        const sum = tf.add(
          tf.reshape(userHalf, [n, 1, first]),
          tf.reshape(itemHalf, [perState ? n : 1, count, first]),
        );
        const logits = tf.reshape(
          tower(params, config, tf.reshape(sum, [n * count, first]) as tf.Tensor2D, pass),
          [n, count],
        );
        const values = center === 0 ? logits : tf.add(logits, center);
        return (candidates === 'all' ? tf.add(values, params.get('padding.mask')) : values) as tf.Tensor2D;
      },
    };
  },
});

/** Mean of x [B, L, D] over what is shown [B, L, 1] → [B, D]; 0 for an empty history. */
function meanOf(x: tf.Tensor, shown: tf.Tensor): tf.Tensor {
  return tf.div(tf.sum(tf.mul(x, shown), 1), tf.maximum(tf.sum(shown, 1), 1));
}

/** The layers after the first affine map: [n, first] → [n, 1]. */
function tower(
  params: Params,
  config: { hidden: readonly number[]; dropout: number },
  affine: tf.Tensor2D,
  pass: PassContext,
): tf.Tensor {
  let x = pass.dropout(tf.relu(tf.add(affine, params.get('hidden.0.bias'))), config.dropout);
  for (let i = 1; i < config.hidden.length; i++) {
    const y = tf.matMul(x as tf.Tensor2D, params.get(`hidden.${i}.weight`) as tf.Tensor2D);
    x = pass.dropout(tf.relu(tf.add(y, params.get(`hidden.${i}.bias`))), config.dropout);
  }
  return tf.add(
    tf.matMul(x as tf.Tensor2D, params.get('logit.weight') as tf.Tensor2D),
    params.get('logit.bias'),
  );
}
