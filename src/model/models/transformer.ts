import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { present } from '../../compute/ops/present.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';
import { itemEncoder, userEncoder } from '../entity.js';
import { EventEncoder } from '../events.js';
import { dotCandidates, dotLogits, paddingConstants, similarItems } from '../factorised.js';
import { BehaviourHeads } from '../heads/heads.js';
import { itemBias, normal } from '../initial.js';
import { ATTENTION_NAMES } from '../layers/attention/index.js';
import { timeBuckets } from '../layers/attention/relative-time.js';
import { blockOf } from '../layers/block.js';
import { FEED_FORWARD_NAMES } from '../layers/feedforward/index.js';
import { initLongTerm, longTermConstants, withLongTerm } from '../layers/long-term.js';
import { NORM_NAMES, NORMS } from '../layers/norm/index.js';
import { RESIDUAL_NAMES } from '../layers/residual/index.js';
import { SIMILARITIES, SIMILARITY_NAMES } from '../layers/similarity/index.js';
import { defineModel, type Model, type SequenceBatch } from '../model.js';
import { newestPlaces } from '../select.js';
import { stackOf } from '../stack.js';
import { headFields, longTermFields, valueFields } from './shared-fields.js';

const schema = z.strictObject({
  name: z.literal('transformer'),
  width: z.number().int().min(4).default(64).describe('width D of the states and embeddings'),
  depth: z.number().int().min(1).default(2).describe('number of blocks'),
  sharedBlocks: z
    .boolean()
    .default(false)
    .describe('all blocks are one but for their normalisation: as deep with fewer weights (ALBERT)'),
  heads: z
    .number()
    .int()
    .min(1)
    .default(2)
    .describe('attention heads; must divide the width, unless headWidth is given'),
  headWidth: z.number().int().min(1).optional().describe('width of one head; default: width / heads'),
  direction: z
    .enum(['causal', 'both'])
    .default('causal')
    .describe('a position sees those before it, or all; both: trained to fill in hidden items (BERT4Rec)'),
  attention: z
    .enum(ATTENTION_NAMES)
    .default('softmax')
    .describe('softmax, or gated: pointwise with an elementwise gate (HSTU)'),
  relativePosition: z
    .boolean()
    .default(false)
    .describe('add a learned bias for each distance and head to the attention'),
  relativeTime: z
    .boolean()
    .default(false)
    .describe('add a learned bias for each time difference (by its logarithm) and head to the attention'),
  norm: z.enum(NORM_NAMES).default('layer').describe('layer normalisation, or by the root mean square'),
  residual: z
    .enum(RESIDUAL_NAMES)
    .default('plain')
    .describe('how a layer is joined to its input: added, or through a learned gate (LiGR)'),
  feedForwardKind: z
    .enum(FEED_FORWARD_NAMES)
    .default('relu')
    .describe('feed-forward layer of a block; none: its attention alone (HSTU)'),
  feedForward: z.number().positive().default(2).describe('inner width of the feed-forward layers, in widths'),
  bottleneck: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe(
      'inner width of bottlenecks after the attention and the feed-forward layer of each block, which `adapter.kind: bottleneck` of finetune brings; default: none',
    ),
  length: z.number().int().min(2).default(50).describe('longest history read, in events'),
  ...longTermFields,
  dropout: z.number().min(0).max(0.95).default(0.2).describe('dropout rate'),
  itemIds: z.boolean().default(true).describe('each item has a vector of its own; false: attributes alone'),
  itemAttributes: z.boolean().default(true).describe('add vectors computed from item attributes'),
  userAttributes: z.boolean().default(false).describe('add a vector computed from user attributes'),
  outputBias: z.boolean().default(false).describe('add a learned bias for each item to its score'),
  behaviours: z.boolean().default(true).describe('add a vector for the behaviour type of each event'),
  ...headFields,
  values: z.boolean().default(false).describe('read the values of events (ratings) too'),
  ...valueFields,
  similarity: z
    .enum(SIMILARITY_NAMES)
    .default('dot')
    .describe('score of an item: dot product with the state, or their cosine over the temperature'),
  temperature: z.number().positive().default(0.05).describe('of the cosine similarity'),
  tied: z.boolean().default(true).describe('items have one vector as input and output; false: two'),
});

const BIAS = 'output.bias';

/**
 * Transformer over a user's events (causal as SASRec: Kang & McAuley 2018, or filling in hidden items as BERT4Rec: Sun et al.
 * 2019; pre-normalised), with item attributes, behaviour types and user attributes as inputs, and learned positions. Its parts
 * are chosen by the config, each by one line.
 */
export const transformer = defineModel({
  schema: schema
    .refine((c) => c.headWidth !== undefined || c.width % c.heads === 0, {
      path: ['heads'],
      message: 'must divide width',
    })
    .refine((c) => !c.relativeTime || c.direction === 'causal', {
      path: ['relativeTime'],
      message: 'does not go with direction: both: the time of a hidden event would tell of it',
    })
    .refine((c) => c.shortTerm === undefined || c.direction === 'causal', {
      path: ['shortTerm'],
      message: 'does not go with direction: both, where an event has others on both sides',
    }),
  create(config, catalogue): Model {
    const { width, depth, length, dropout, center = 0 } = config;
    const encoder = (prefix: string) =>
      itemEncoder(catalogue, width, config.itemAttributes, prefix, config.itemIds);
    const items = encoder('item');
    const output = config.tied ? items : encoder('output');
    const users = userEncoder(catalogue, width, config.userAttributes);
    const events = new EventEncoder(items, width, catalogue.behaviours, config.behaviours);
    const heads = new BehaviourHeads(catalogue, width, config.behaviourHeads);
    const bias = config.outputBias ? BIAS : undefined;
    const masksItems = config.direction === 'both';
    const longTerm = config.shortTerm === undefined ? undefined : { width, length, after: config.shortTerm };
    const block = blockOf(config);
    const norm = NORMS[config.norm];
    const similarity = SIMILARITIES[config.similarity];
    const scored = similarItems(similarity, output);
    const layerNames = Array.from({ length: depth }, (_, i) => `blocks.${i}`);
    const blocks = layerNames.map((norms) => ({
      weights: config.sharedBlocks ? layerNames[0]! : norms,
      norms,
    }));
    return {
      name: 'transformer',
      width,
      length,
      positional: !masksItems,
      masksItems,
      readsTimes: config.relativeTime,
      readsAsked: heads.there,
      ...(config.values ? { readsValues: { center } } : {}),
      dropout,
      layerNames,
      stack: stackOf(config.sharedBlocks ? ['blocks'] : layerNames, 'norm', 'longTerm', 'output'),
      init(rng) {
        const into: ParameterInits = new Map();
        items.init(rng, into);
        users.init(rng, into);
        if (config.outputBias) into.set(BIAS, itemBias(catalogue.items.length));
        into.set(masksItems ? 'mask' : 'start', normal(rng, [1, width], 0.1));
        into.set('position.embedding', normal(rng, [length, width], 0.02));
        events.init(rng, into);
        if (config.values) into.set('value.weight', normal(rng, [2, width], 0.1));
        for (const names of blocks) block.init(into, names, rng);
        norm.init(into, 'norm', width);
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
      encode(params, given, pass) {
        const batch = masksItems && !given.masked ? withItemToCome(given, length) : given;
        const [size, steps] = batch.items.shape;
        const there = present(batch.items);
        const masked = batch.masked && tf.cast(batch.masked, 'float32');
        const filled = masked ? tf.maximum(there, masked) : there;
        const positions = tf.slice(params.get('position.embedding'), [length - steps, 0], [steps, width]);
        let x = events.encode(params, batch);
        if (config.values) x = tf.add(x, valueVectors(params, batch.values!));
        const met = x as tf.Tensor3D;
        // Another vector stands for a hidden item, and one for the empty history.
        const other = tf.expandDims(masked ?? beforeFirst(there), 2);
        const shown = tf.expandDims(masked ? tf.sub(there, tf.mul(there, masked)) : there, 2);
        x = tf.add(tf.mul(x, shown), tf.mul(params.get(masksItems ? 'mask' : 'start'), other));
        x = tf.add(x, tf.mul(positions, tf.expandDims(filled, 2)));
        if (config.userAttributes) {
          const user = tf.reshape(users.encode(params, batch.users), [size, 1, width]);
          x = tf.add(x, tf.mul(user, tf.add(shown, other)));
        }
        x = pass.dropout(x, dropout);
        const absent = tf.sub(1, filled) as tf.Tensor2D;
        const buckets = config.relativeTime ? timeBuckets(batch.times!) : undefined;
        const layers: tf.Tensor3D[] = [];
        for (const [n, names] of blocks.entries()) {
          // Of the last block alone no position is needed but the newest.
          const here = n < depth - 1 ? { ...pass, newest: false } : pass;
          x = block.apply(params, names, x as tf.Tensor3D, absent, here, buckets);
          layers.push(x as tf.Tensor3D);
        }
        const recent = norm.apply(params, 'norm', x) as tf.Tensor3D;
        const shared = longTerm ? withLongTerm(params, recent, batch.items, met, longTerm) : recent;
        const states = similarity.state(heads.apply(params, shared, batch), config.temperature);
        if (given.masked || !masksItems) return { states, layers };
        return { states: newestPlaces(states, 1), layers: layers.map((layer) => newestPlaces(layer, 1)) };
      },
      logits(params, states, candidates) {
        const logits = dotLogits(params, scored, states, candidates, bias);
        return center === 0 ? logits : tf.add(logits, center);
      },
      candidates(params, candidates) {
        const { vectors, offset } = dotCandidates(params, scored, candidates, bias);
        return { vectors, offset: center === 0 ? offset : tf.add(offset, center) };
      },
    };
  },
});

/** Values [B, L] and their squares as vectors [B, L, D]. */
function valueVectors(params: Params, values: tf.Tensor2D): tf.Tensor3D {
  const [size, steps] = values.shape;
  const columns = tf.reshape(tf.stack([values, tf.square(values)], 2), [size * steps, 2]) as tf.Tensor2D;
  const weight = params.get('value.weight') as tf.Tensor2D;
  return tf.reshape(tf.matMul(columns, weight), [size, steps, weight.shape[1]]);
}

/**
 * [B, L] of 1 where an event is → 1 at the last position before the first one, which stands for the empty history: it sees itself
 * alone, and no other sees it.
 */
function beforeFirst(present: tf.Tensor2D): tf.Tensor {
  const [size, steps] = present.shape;
  const next = tf.concat([tf.slice(present, [0, 1], [size, steps - 1]), tf.ones([size, 1])], 1);
  return tf.mul(tf.sub(1, present), next);
}

/** Histories with a hidden item after the newest event, at most `length` places. */
function withItemToCome({ users, items, behaviours, asked }: SequenceBatch, length: number): SequenceBatch {
  const [size, steps] = items.shape;
  const kept = Math.min(steps, length - 1);
  const room = tf.zeros([size, 1], 'int32');
  const extended = (x: tf.Tensor2D): tf.Tensor2D =>
    tf.concat([tf.slice(x, [0, steps - kept], [size, kept]), room], 1) as tf.Tensor2D;
  const masked = tf.concat([tf.zeros([size, kept], 'int32'), tf.ones([size, 1], 'int32')], 1) as tf.Tensor2D;
  const told = { users, items: extended(items), behaviours: extended(behaviours), masked };
  if (!asked) return told;
  // What is asked for after the newest event is asked for at the place that was added.
  const last = tf.slice(asked, [0, steps - 1], [size, 1]);
  return { ...told, asked: tf.concat([tf.zeros([size, kept], 'int32'), last], 1) as tf.Tensor2D };
}
