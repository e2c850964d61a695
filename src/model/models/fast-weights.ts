import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { PassContext } from '../../compute/dropout.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { TensorMap } from '../../types.js';
import { ADAPTED, DecisionLayers, type Weights } from '../adaptation/decision.js';
import { adapt, type FastWeights, MOST_STEPS, ORDERS } from '../adaptation/inner-loop.js';
import { eventsLoss, valuesLoss } from '../adaptation/support-loss.js';
import { ColdItemEncoder } from '../cold.js';
import { userEncoder } from '../entity.js';
import { paddingConstants } from '../factorised.js';
import { constant } from '../initial.js';
import { defineModel, type Model, type SequenceBatch } from '../model.js';
import { stackOf } from '../stack.js';
import { coldItemFields, valueFields } from './shared-fields.js';

const schema = z.strictObject({
  name: z.literal('fast-weights'),
  width: z.number().int().min(2).default(32).describe('width D of the user and item vectors'),
  hidden: z.array(z.number().int().min(1)).min(1).default([64, 32]).describe('widths of the hidden layers'),
  adapts: z
    .enum(ADAPTED)
    .default('decision')
    .describe('what a user’s events change: all decision layers, their biases, or the last layer'),
  steps: z
    .number()
    .int()
    .min(0)
    .max(MOST_STEPS)
    .default(5)
    .describe('gradient steps on a user’s events; 0 = none'),
  rate: z.number().positive().default(0.05).describe('size of a step'),
  rates: z
    .enum(['fixed', 'learned'])
    .default('fixed')
    .describe('`rate` for all weights, or for each its own, learned from `rate` on (Meta-SGD)'),
  order: z
    .enum(ORDERS)
    .default('second')
    .describe('learning goes through the steps (MAML), past them (FOMAML), or along their path (Reptile)'),
  feedback: z
    .enum(['values', 'events'])
    .default('values')
    .describe('what an event says: its value (a rating), or only that it happened'),
  references: z
    .number()
    .int()
    .min(1)
    .max(4096)
    .default(64)
    .describe('with `feedback: events`, items that those of a user’s events are told from'),
  length: z.number().int().min(1).default(100).describe('how many recent events are read'),
  ...coldItemFields,
  ...valueFields,
});

/**
 * Learned so that a few gradient steps on a user's own events make it that user's model (MAML: Finn, Abbeel & Levine 2017; Reptile:
 * Nichol, Achiam & Schulman 2018). Vectors of
 * items and user attributes stay as they are, the decision layers adapt (MeLU: Lee et al. 2019), or only the last of them (ANIL:
 * Raghu et al. 2020). A user's state is the adapted weights.
 */
export const fastWeights = defineModel({
  schema,
  create(config, catalogue): Model {
    const { width, hidden, steps, order, length, center = 0 } = config;
    const values = config.feedback === 'values';
    const items = new ColdItemEncoder(catalogue, width, {
      ids: config.itemIds,
      attributes: config.itemAttributes,
      idDropout: config.idDropout,
    });
    const users = userEncoder(catalogue, width, config.userAttributes);
    const supportLoss = values
      ? valuesLoss(items, length)
      : eventsLoss(items, catalogue, length, config.references);
    const layers = new DecisionLayers(width, hidden);
    const adapted = layers.adapted(config.adapts);
    // The user's half of the first layer is one vector, whatever made it.
    const kept = new Map<string, readonly number[]>([
      ['user', [hidden[0]!]],
      ...[...adapted].filter(([name]) => name !== 'hidden.0.user' && name !== 'hidden.0.bias'),
    ]);
    const rateOf = (params: Params, name: string): number | tf.Tensor =>
      config.rates === 'learned' ? params.get(`rate.${name}`) : config.rate;
    const adaptedTo = (params: Params, batch: SequenceBatch, pass: PassContext) => {
      const user = users.encode(params, batch.users) as tf.Tensor2D;
      const lossOf = supportLoss.of(params, batch, pass);
      const start = new Map(
        [...adapted.keys()].map((name) => [name, forEach(params.get(name), user.shape[0])] as const),
      );
      const loss = (weights: FastWeights): tf.Tensor1D => {
        const read = reader(params, weights);
        const half = layers.userHalf(read, user);
        return lossOf((vectors) => layers.decide(read, half, vectors));
      };
      return { user, ...adapt(start, loss, { steps, order, rate: (name) => rateOf(params, name) }) };
    };
    return {
      name: 'fast-weights',
      width: [...kept.values()].reduce((sum, shape) => sum + sizeOf(shape), 0),
      length,
      positional: false,
      ...(values ? { readsValues: { center } } : {}),
      layerNames: ['state'],
      stack: stackOf(
        hidden.map((_, i) => `hidden.${i}`),
        'logit',
      ),
      init(rng) {
        const into: ParameterInits = new Map();
        items.init(rng, into);
        users.init(rng, into);
        layers.init(rng, into);
        supportLoss.init(into);
        if (config.rates === 'learned')
          for (const [name, shape] of adapted) into.set(`rate.${name}`, constant(shape, config.rate));
        return into;
      },
      constants() {
        const into: TensorMap = new Map();
        items.constants(into);
        users.constants(into);
        paddingConstants(into, catalogue.items.length);
        return into;
      },
      diverged: (params, batch, pass) => adaptedTo(params, batch, pass).diverged,
      encode(params, batch, pass) {
        const { user, weights } = adaptedTo(params, batch, pass);
        const [size] = user.shape;
        const whole = new Map<string, tf.Tensor>([
          ...weights,
          ['user', layers.userHalf(reader(params, weights), user)],
        ]);
        const flat = [...kept].map(([name, shape]) => tf.reshape(whole.get(name)!, [size, sizeOf(shape)]));
        const states = tf.expandDims(tf.concat(flat, 1), 1) as tf.Tensor3D;
        return { states, layers: [states] };
      },
      logits(params, states, candidates, pass) {
        const all = candidates === 'all';
        const vectors = all ? items.all(params, pass) : items.encode(params, candidates, pass);
        const own = !all && candidates.rank === 2;
        const flat = (own ? vectors : tf.reshape(vectors, [1, -1, width])) as tf.Tensor3D;
        const weights = unpacked(states, kept);
        const half = weights.get('user') as tf.Tensor2D;
        const decided = tf.add(layers.decide(reader(params, weights), half, flat), center);
        return (all ? tf.add(decided, params.get('padding.mask')) : decided) as tf.Tensor2D;
      },
    };
  },
});

const reader =
  (params: Params, own: FastWeights): Weights =>
  (name) =>
    own.get(name) ?? params.get(name);

/** A weight […] once for each of B users: [B, …]. */
function forEach(weight: tf.Tensor, size: number): tf.Tensor {
  return tf.mul(tf.expandDims(weight, 0), tf.ones([size, ...weight.shape.map(() => 1)]));
}

/** States [N, width] taken apart into weights [N, …] by name. */
function unpacked(
  states: tf.Tensor2D,
  shapes: ReadonlyMap<string, readonly number[]>,
): Map<string, tf.Tensor> {
  const [size] = states.shape;
  let at = 0;
  return new Map(
    [...shapes].map(([name, shape]) => {
      const count = sizeOf(shape);
      const part = tf.slice(states, [0, at], [size, count]);
      at += count;
      return [name, tf.reshape(part, [size, ...shape])] as const;
    }),
  );
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
