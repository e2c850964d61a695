import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { INFERENCE, type PassContext } from '../../compute/dropout.js';
import { present } from '../../compute/ops/present.js';
import type { DotCandidates } from '../../compute/ops/softmax-loss.js';
import { solvePositiveDefinite } from '../../compute/ops/solve.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';
import { ColdItemEncoder } from '../cold.js';
import { userEncoder } from '../entity.js';
import { paddingConstants } from '../factorised.js';
import { constant, glorot, itemBias } from '../initial.js';
import { initTower, tower } from '../layers/tower.js';
import { defineModel, type Model } from '../model.js';
import { newestPlaces } from '../select.js';
import { coldItemFields, valueFields } from './shared-fields.js';

const schema = z.strictObject({
  name: z.literal('fold-in'),
  width: z.number().int().min(2).default(32).describe('width D of the item vectors'),
  hidden: z
    .array(z.number().int().min(1))
    .default([])
    .describe('widths of hidden layers between an item’s vector and what a user’s weights multiply'),
  feedback: z
    .enum(['values', 'events'])
    .default('values')
    .describe('what an event says: its value (a rating), or only that it happened'),
  length: z.number().int().min(1).default(100).describe('how many recent events are read'),
  dropout: z.number().min(0).max(0.95).default(0).describe('dropout rate of the item vectors'),
  ...coldItemFields,
  ...valueFields,
});

const TOWER = 'item.tower';

/**
 * A user is the ridge regression of their own events on item vectors, in closed form (R2-D2: Bertinetto et al. 2019; for events
 * without values the fold-in of implicit ALS: Hu, Koren & Volinsky 2008). With φ an item's vector and a 1, w₀ what the user's attributes
 * say, Λ and the weights a_t of recency learned:
 *
 * values: w = w₀ + (Σ a_t φ_t φ_tᵀ + Λ)⁻¹ Σ a_t φ_t (y_t − b_t − φ_t·w₀), score(i) = center + b_i + φ_i·w;
 * events: w = (Σ a_t φ_t φ_tᵀ + α/V Σ_i φ_i φ_iᵀ + Λ)⁻¹ (Σ a_t φ_t + Λ w₀), score(i) = b_i + φ_i·w.
 *
 * The state of a user is w: D + 1 numbers.
 */
export const foldIn = defineModel({
  schema,
  create(config, catalogue): Model {
    const { width, length, hidden, dropout, center = 0 } = config;
    const size = width + 1;
    const items = new ColdItemEncoder(catalogue, width, {
      ids: config.itemIds,
      attributes: config.itemAttributes,
      idDropout: config.idDropout,
    });
    const users = userEncoder(catalogue, width, config.userAttributes);
    const sizes = [width, ...hidden, width];
    const rows = catalogue.items.length;
    const values = config.feedback === 'values';
    /** Item vectors [..., D] → what weights multiply, with a 1 behind: [..., D + 1]. */
    const regressors = (params: Params, x: tf.Tensor, pass: PassContext): tf.Tensor => {
      const deep = hidden.length === 0 ? x : tower(params, TOWER, sizes.length - 1, x, 0, pass).at(-1)!;
      return tf.concat([pass.dropout(deep, dropout), tf.ones([...x.shape.slice(0, -1), 1])], -1);
    };
    /** Learned, or 0 for an item that no train row has taught: its attributes speak in φ. */
    const bias = (params: Params, ids: tf.Tensor): tf.Tensor =>
      tf.reshape(params.lookup('output.bias', ids), ids.shape);
    const whole = (params: Params, pass: PassContext): DotCandidates => ({
      vectors: regressors(params, items.all(params, pass), pass) as tf.Tensor2D,
      offset: tf.add(
        tf.add(tf.squeeze(params.get('output.bias'), [1]), center),
        params.get('padding.mask'),
      ) as tf.Tensor1D,
    });
    return {
      name: 'fold-in',
      width: size,
      length,
      positional: false,
      ...(values ? { readsValues: { center } } : {}),
      readsCatalogue: !values,
      layerNames: ['state'],
      init(rng) {
        const into: ParameterInits = new Map();
        items.init(rng, into);
        users.init(rng, into);
        if (hidden.length > 0) initTower(into, TOWER, sizes, rng);
        into.set('user.prior', glorot(rng, width, size));
        into.set('user.mean', constant([size], 0));
        into.set('penalty', constant([size], 0));
        into.set('recency', constant([length], 0));
        if (!values) into.set('unobserved', constant([1], 0));
        into.set('output.bias', itemBias(rows));
        return into;
      },
      constants() {
        const into: TensorMap = new Map();
        items.constants(into);
        users.constants(into);
        paddingConstants(into, rows);
        return into;
      },
      encode(params, batch, pass) {
        const ids = newestPlaces(batch.items, length);
        const [count, steps] = ids.shape;
        const attributes = users.encode(params, batch.users) as tf.Tensor2D;
        const prior = tf.add(
          tf.matMul(attributes, params.get('user.prior') as tf.Tensor2D),
          params.get('user.mean'),
        );
        const phi = regressors(params, items.encode(params, ids, pass), pass) as tf.Tensor3D;
        const recency = tf.exp(tf.slice(params.get('recency'), [length - steps], [steps]));
        const weighted = tf.mul(phi, tf.expandDims(tf.mul(present(ids), recency), 2));
        const penalty = tf.exp(params.get('penalty'));
        const ridge = tf.mul(tf.eye(size), penalty);
        const gram = tf.add(tf.matMul(weighted, phi, true, false), ridge) as tf.Tensor3D;
        const sums = (targets: tf.Tensor): tf.Tensor2D =>
          tf.sum(tf.mul(weighted, tf.expandDims(targets, 2)), 1) as tf.Tensor2D;
        let state: tf.Tensor;
        if (values) {
          const read = newestPlaces(batch.values!, length);
          const expected = tf.sum(tf.mul(phi, tf.expandDims(prior, 1)), 2);
          const residuals = tf.sub(tf.sub(read, bias(params, ids)), expected);
          state = tf.add(prior, solvePositiveDefinite(gram, sums(residuals)));
        } else {
          const all = regressors(params, items.all(params, pass), pass) as tf.Tensor2D;
          const share = tf.div(tf.exp(params.get('unobserved')), rows);
          const unobserved = tf.mul(tf.matMul(all, all, true, false), share);
          const right = tf.add(tf.sum(weighted, 1), tf.mul(prior, penalty)) as tf.Tensor2D;
          state = solvePositiveDefinite(tf.add(gram, unobserved) as tf.Tensor3D, right);
        }
        const states = tf.reshape(state, [count, 1, size]) as tf.Tensor3D;
        return { states, layers: [states] };
      },
      logits(params, states, candidates, pass) {
        if (candidates === 'all') {
          const { vectors, offset } = whole(params, pass);
          return tf.add(tf.matMul(states, vectors, false, true), offset) as tf.Tensor2D;
        }
        const phi = regressors(params, items.encode(params, candidates, pass), pass);
        const product =
          candidates.rank === 1
            ? tf.matMul(states, phi as tf.Tensor2D, false, true)
            : tf.sum(tf.mul(tf.expandDims(states, 1), phi), 2);
        return tf.add(tf.add(product, bias(params, candidates)), center) as tf.Tensor2D;
      },
      candidates(params, candidates, pass = INFERENCE) {
        if (candidates === 'all') return whole(params, pass);
        const vectors = regressors(params, items.encode(params, candidates, pass), pass) as tf.Tensor2D;
        return { vectors, offset: tf.add(bias(params, candidates), center) as tf.Tensor1D };
      },
    };
  },
});
