import * as tf from '@tensorflow/tfjs-core';

/** Weights of their own for each of B users, by name: [B, …]. */
export type FastWeights = ReadonlyMap<string, tf.Tensor>;

/**
 * How a loss after the steps reaches the weights before them: through the steps (second order), past them (first order), or past them and with the
 * steps' own gradients beside its own: the loss is then one step more, and the weights before go the whole path (Reptile: Nichol, Achiam & Schulman 2018).
 */
export const ORDERS = ['second', 'first', 'path'] as const;
export type Order = (typeof ORDERS)[number];

export interface InnerLoop {
  readonly steps: number;
  /** The rate of a step: a number, or of each weight its own ([…], as the weight). */
  rate(name: string): number | tf.Tensor;
  readonly order: Order;
}

/** What the steps led to. */
export interface Adapted {
  /** The weights after the steps; of a user whose steps diverged, those before. */
  readonly weights: FastWeights;
  /** [B] 1 where they did. */
  readonly diverged: tf.Tensor1D;
}

/** Steps are recorded one after the other: hundreds of them take minutes and gigabytes before the first user is adapted to. */
export const MOST_STEPS = 100;
/** Largest gradient of a weight: beyond, steps have long diverged, and numbers that are none would spoil those of other users. */
const LARGEST = 1e4;
/** Steps diverged where they left the loss so many times as high. */
const HIGHER = 10;

/**
 * Gradient steps on users' own weights, all users at once (MAML: Finn, Abbeel & Levine 2017; its first-order form leaves the
 * steps' own derivative out).
 *
 * @param start the weights before the first step, [B, …] each
 * @param loss of each user on their support, [B]; of a user without any it is 0
 */
export function adapt(
  start: FastWeights,
  loss: (weights: FastWeights) => tf.Tensor1D,
  { steps, rate, order }: InnerLoop,
): Adapted {
  const names = [...start.keys()];
  let weights = start;
  const path = new Map<string, tf.Tensor>();
  for (let step = 0; step < steps; step++) {
    const before = [...weights.values()];
    // A user's loss knows that user's weights alone, so the sum over users has each one's gradient.
    const total = (...values: tf.Tensor[]): tf.Scalar =>
      tf.sum(loss(new Map(names.map((name, i) => [name, values[i]!] as const)))) as tf.Scalar;
    const gradients = tf.grads(total)(before);
    weights = new Map(
      names.map((name, i) => {
        const bounded = tf.clipByValue(gradients[i]!, -LARGEST, LARGEST);
        const gradient = order === 'second' ? bounded : detached(bounded);
        if (order === 'path') path.set(name, path.has(name) ? tf.add(path.get(name)!, gradient) : gradient);
        return [name, tf.sub(before[i]!, tf.mul(gradient, rate(name)))] as const;
      }),
    );
  }
  if (steps === 0) return { weights, diverged: tf.mul(loss(start), 0) };
  const fine = below(
    loss(new Map([...weights].map(([name, w]) => [name, detached(w)] as const))),
    tf.add(tf.mul(loss(start), HIGHER), 1e-3) as tf.Tensor1D,
  );
  // Where steps that diverged went is learned from as little as what they led to.
  const ofFine = (gradients: tf.Tensor): tf.Tensor => either(fine, gradients, tf.zerosLike(gradients));
  const kept = new Map(
    names.map((name) => {
      const last = weights.get(name)!;
      const moved = order === 'path' ? withGradient(last, meanOverUsers(ofFine(path.get(name)!))) : last;
      return [name, either(fine, moved, start.get(name)!)] as const;
    }),
  );
  return { weights: kept, diverged: tf.sub(1, fine) as tf.Tensor1D };
}

/** A loss is a mean over the users of a batch: what each user's steps add to its gradient is so, too. */
function meanOverUsers(gradients: tf.Tensor): tf.Tensor {
  return tf.div(gradients, gradients.shape[0]!);
}

/** The same values; whatever is made of them has this gradient besides its own. */
function withGradient(x: tf.Tensor, gradient: tf.Tensor): tf.Tensor {
  return tf.customGrad((values, added, save) => {
    (save as tf.GradSaveFunc)([added as tf.Tensor]);
    return {
      value: tf.clone(values as tf.Tensor),
      gradFunc: (dy, saved) => [tf.add(dy as tf.Tensor, saved[0]!), tf.zerosLike(saved[0]!)],
    };
  })(x, gradient);
}

/** [B] 1 where x is below the limit, 0 where it is not, or no number; it depends on neither. */
function below(x: tf.Tensor1D, limit: tf.Tensor1D): tf.Tensor1D {
  return tf.customGrad((a, b) => ({
    value: tf.cast(tf.greater(b as tf.Tensor, a as tf.Tensor), 'float32'),
    gradFunc: () => [tf.zeros(x.shape), tf.zeros(limit.shape)],
  }))(x, limit) as tf.Tensor1D;
}

/** Of each user what `first` [B] says: a where it is 1, else b; of the other not even what is no number comes through. */
function either(first: tf.Tensor1D, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const columns = [a.shape[0]!, ...a.shape.slice(1).map(() => 1)];
  const chosen = (of: tf.Tensor, x: tf.Tensor, y: tf.Tensor): tf.Tensor =>
    tf.where(tf.greater(tf.mul(tf.reshape(of, columns), tf.ones(x.shape)), 0.5), x, y);
  return tf.customGrad((x, y, save) => {
    (save as tf.GradSaveFunc)([first]);
    return {
      value: chosen(first, x as tf.Tensor, y as tf.Tensor),
      gradFunc: (dy, saved) => {
        const [given, of] = [dy as tf.Tensor, saved[0]!];
        const none = tf.zerosLike(given);
        return [chosen(of, given, none), chosen(of, none, given)];
      },
    };
  })(a, b);
}

/** The same values, as if they depended on nothing. */
export function detached<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((y) => ({
    value: tf.clone(y as tf.Tensor),
    gradFunc: (dy: tf.Tensor | tf.Tensor[]) => tf.zerosLike(dy as tf.Tensor),
  }))(x) as T;
}
