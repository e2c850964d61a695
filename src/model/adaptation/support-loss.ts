import * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../compute/dropout.js';
import { exp } from '../../compute/ops/exp.js';
import { present } from '../../compute/ops/present.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Catalogue } from '../../types.js';
import type { ColdItemEncoder } from '../cold.js';
import type { SequenceBatch } from '../model.js';
import { newestPlaces } from '../select.js';

/** What a model makes of items [B, C, D], or [1, C, D] for all: their scores [B, C]. */
export type Scored = (items: tf.Tensor3D) => tf.Tensor2D;

/** How well users' own events are foretold: of each user the loss [B], 0 of one without any. */
export interface SupportLoss {
  init(into: ParameterInits): void;
  /** Reads the events of a batch, once for all steps. */
  of(params: Params, batch: SequenceBatch, pass: PassContext): (score: Scored) => tf.Tensor1D;
}

/** The mean square of what is foretold less the events' values. */
export function valuesLoss(items: ColdItemEncoder, length: number): SupportLoss {
  return {
    init: () => undefined,
    of(params, batch, pass) {
      const ids = newestPlaces(batch.items, length);
      const vectors = items.encode(params, ids, pass) as tf.Tensor3D;
      const [values, there] = [newestPlaces(batch.values!, length), present(ids)];
      return (score) => meanOf(tf.square(tf.sub(score(vectors), values)), there);
    },
  };
}

const REFERENCES = 'reference.items';

/**
 * −log of the chance of each event's item among the same reference items for everybody, those the user had left out: a softmax of the choice
 * between it and them. They are the train events' items at even steps, by count^¾, so that popular ones are among them as often as drawn negatives would be
 * (Mikolov et al. 2013); drawn anew, a user's state would be another each time.
 */
export function eventsLoss(
  items: ColdItemEncoder,
  catalogue: Catalogue,
  length: number,
  references: number,
): SupportLoss {
  return {
    init(into) {
      const data = Float32Array.from(spread(catalogue.itemCounts, references));
      const fixed = { below: catalogue.items.length };
      into.set(REFERENCES, { shape: [references], data, table: false, fixed });
    },
    of(params, batch, pass) {
      const ids = newestPlaces(batch.items, length);
      const [size, steps] = ids.shape;
      const others = tf.reshape(params.get(REFERENCES), [1, references]) as tf.Tensor2D;
      const had = tf.max(
        tf.cast(
          tf.equal(tf.reshape(ids, [size, steps, 1]), tf.reshape(others, [1, 1, references])),
          'float32',
        ),
        1,
      );
      const masked = tf.mul(had, -1e9);
      const vectors = items.encode(params, ids, pass) as tf.Tensor3D;
      const against = items.encode(params, others, pass) as tf.Tensor3D;
      const there = present(ids);
      return (score) => {
        const rivals = logSum(tf.add(score(against), masked) as tf.Tensor2D);
        return meanOf(tf.softplus(tf.sub(rivals, score(vectors))), there);
      };
    },
  };
}

/** Items from 1 at even steps through the distribution ∝ count^¾, the least popular first, some more than once perhaps; of a catalogue without an event all alike. */
function spread(given: Float32Array, many: number): number[] {
  const counts = given.some((count, item) => item > 0 && count > 0) ? given : given.map(() => 1);
  const weights = Array.from(counts, (count, item) => (item === 0 ? 0 : count ** 0.75));
  const order = weights.map((_, item) => item).sort((a, b) => weights[a]! - weights[b]! || a - b);
  const total = weights.reduce((sum, one) => sum + one, 0);
  const found: number[] = [];
  let below = 0;
  for (const item of order) {
    below += weights[item]!;
    while (item > 0 && found.length < many && ((found.length + 0.5) / many) * total <= below)
      found.push(item);
  }
  while (found.length < many) found.push(order.at(-1)!);
  return found;
}

/** log Σ exp over the last axis, [B, C] → [B, 1], of operations whose own gradients have gradients. */
function logSum(x: tf.Tensor2D): tf.Tensor {
  const top = highest(x);
  return tf.add(tf.log(tf.sum(exp(tf.sub(x, top)), 1, true)), top);
}

/** Of each row the highest, as if it depended on nothing: the sum is the same whatever is taken out of it. */
function highest(x: tf.Tensor2D): tf.Tensor {
  return tf.customGrad((y) => ({
    value: tf.max(y as tf.Tensor, 1, true) as tf.Tensor,
    gradFunc: () => tf.zeros(x.shape),
  }))(x);
}

/** Mean over a user's events of losses [B, S] → [B]; 0 where there is no event. */
function meanOf(losses: tf.Tensor, there: tf.Tensor2D): tf.Tensor1D {
  const count = tf.maximum(tf.sum(there, 1), 1);
  return tf.div(tf.sum(tf.mul(losses, there), 1), count) as tf.Tensor1D;
}
