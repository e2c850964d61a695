import * as tf from '@tensorflow/tfjs-core';

/** Weights of their own for each of B users, by name: [B, …]. */
export type FastWeights = ReadonlyMap<string, tf.Tensor>;

export interface InnerLoop {
  readonly steps: number;
  /** The rate of a step: a number, or of each weight its own ([…], as the weight). */
  rate(name: string): number | tf.Tensor;
  /** How a loss after the steps reaches the weights before them: through the steps (second order), or past them. */
  readonly order: 'second' | 'first';
}

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
): FastWeights {
  const names = [...start.keys()];
  let weights = start;
  for (let step = 0; step < steps; step++) {
    const before = [...weights.values()];
    // A user's loss knows that user's weights alone, so the sum over users has each one's gradient.
    const total = (...values: tf.Tensor[]): tf.Scalar =>
      tf.sum(loss(new Map(names.map((name, i) => [name, values[i]!] as const)))) as tf.Scalar;
    const gradients = tf.grads(total)(before);
    weights = new Map(
      names.map((name, i) => {
        const gradient = order === 'first' ? detached(gradients[i]!) : gradients[i]!;
        return [name, tf.sub(before[i]!, tf.mul(gradient, rate(name)))] as const;
      }),
    );
  }
  return weights;
}

/** The same values, as if they depended on nothing. */
export function detached<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((y) => ({
    value: tf.clone(y as tf.Tensor),
    gradFunc: (dy: tf.Tensor | tf.Tensor[]) => tf.zerosLike(dy as tf.Tensor),
  }))(x) as T;
}
