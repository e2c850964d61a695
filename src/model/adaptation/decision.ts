import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, glorot } from '../initial.js';

/** Reads a weight: the one that all share [in, out] or [out], or one a user [N, in, out] or [N, out]. */
export type Weights = (name: string) => tf.Tensor;

/** Which weights of the decision layers a user's own events may change, from the most to the fewest. */
export const ADAPTED = ['decision', 'bias', 'head'] as const;
export type Adapted = (typeof ADAPTED)[number];

/**
 * Decision layers over a user vector and an item vector [D] each: hidden layers with ReLU, then one number. The first layer is applied
 * to the two halves apart and added, which equals applying it to their concatenation.
 */
export class DecisionLayers {
  constructor(
    private readonly width: number,
    private readonly hidden: readonly number[],
  ) {}

  init(rng: Random, into: ParameterInits): void {
    const { hidden, width } = this;
    into.set('hidden.0.user', glorot(rng, width, hidden[0]!));
    into.set('hidden.0.item', glorot(rng, width, hidden[0]!));
    into.set('hidden.0.bias', constant([hidden[0]!], 0));
    hidden.slice(1).forEach((size, i) => {
      into.set(`hidden.${i + 1}.weight`, glorot(rng, hidden[i]!, size));
      into.set(`hidden.${i + 1}.bias`, constant([size], 0));
    });
    into.set('logit.weight', glorot(rng, hidden.at(-1)!, 1));
    into.set('logit.bias', constant([1], 0));
  }

  /** Shapes of the weights that a user's events change, by name; the first is that of the user half. */
  adapted(what: Adapted): Map<string, readonly number[]> {
    const { hidden, width } = this;
    const all = new Map<string, readonly number[]>();
    if (what === 'decision') {
      all.set('hidden.0.user', [width, hidden[0]!]);
      all.set('hidden.0.item', [width, hidden[0]!]);
    }
    if (what !== 'head') all.set('hidden.0.bias', [hidden[0]!]);
    hidden.slice(1).forEach((size, i) => {
      if (what === 'decision') all.set(`hidden.${i + 1}.weight`, [hidden[i]!, size]);
      if (what !== 'head') all.set(`hidden.${i + 1}.bias`, [size]);
    });
    if (what !== 'bias') all.set('logit.weight', [hidden.at(-1)!, 1]);
    all.set('logit.bias', [1]);
    return all;
  }

  /** What a user vector [N, D] adds to the first layer: [N, hidden]. */
  userHalf(weights: Weights, users: tf.Tensor2D): tf.Tensor2D {
    const half = times(tf.expandDims(users, 1) as tf.Tensor3D, weights('hidden.0.user'));
    return tf.squeeze(plus(half, weights('hidden.0.bias')), [1]) as tf.Tensor2D;
  }

  /** Item vectors of their own [N, C, D], or the same for all [1, C, D], after a user half [N, hidden] → [N, C]. */
  decide(weights: Weights, userHalf: tf.Tensor2D, items: tf.Tensor3D): tf.Tensor2D {
    const first = tf.add(tf.expandDims(userHalf, 1), times(items, weights('hidden.0.item')));
    let x = tf.relu(first) as tf.Tensor3D;
    for (let i = 1; i < this.hidden.length; i++)
      x = tf.relu(plus(times(x, weights(`hidden.${i}.weight`)), weights(`hidden.${i}.bias`)));
    return tf.squeeze(plus(times(x, weights('logit.weight')), weights('logit.bias')), [2]) as tf.Tensor2D;
  }
}

/** x [N, C, in], or [1, C, in] for all, times w [in, out] or [N, in, out] → [N, C, out] (or [1, C, out] where both are shared). */
function times(x: tf.Tensor3D, w: tf.Tensor): tf.Tensor3D {
  const [size, count, inner] = x.shape;
  const outer = w.shape.at(-1)!;
  if (w.rank === 2) {
    const product = tf.matMul(tf.reshape(x, [size * count, inner]), w as tf.Tensor2D);
    return tf.reshape(product, [size, count, outer]);
  }
  const [users] = w.shape as [number, number, number];
  if (size === users) return tf.matMul(x, w as tf.Tensor3D) as tf.Tensor3D;
  // The same items for all: one product with the weights of all users beside each other.
  const beside = tf.reshape(tf.transpose(w, [1, 0, 2]), [inner, users * outer]) as tf.Tensor2D;
  const product = tf.matMul(tf.reshape(x, [count, inner]) as tf.Tensor2D, beside);
  return tf.transpose(tf.reshape(product, [count, users, outer]), [1, 0, 2]) as tf.Tensor3D;
}

/** x [N, C, out] plus a bias [out] or [N, out]. */
function plus(x: tf.Tensor3D, bias: tf.Tensor): tf.Tensor3D {
  return tf.add(x, bias.rank === 1 ? bias : tf.expandDims(bias, 1)) as tf.Tensor3D;
}
