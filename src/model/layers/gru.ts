import * as tf from '@tensorflow/tfjs-core';
import { gru } from '../../compute/ops/gru.js';
import { linear } from '../../compute/ops/linear.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, glorot, normal } from '../initial.js';

/** Each has weights of its own, in this order along the axis of all three. */
const PARTS = ['reset', 'update', 'candidate'] as const;
/** Closes an update gate: σ(−10⁹) is 0. */
const CLOSED = -1e9;

/** Parameters under `name` of a gated recurrent unit with inputs of `width` and `hidden` values of state. */
export function initRecurrent(
  into: ParameterInits,
  name: string,
  width: number,
  hidden: number,
  rng: Random,
): void {
  for (const part of PARTS) into.set(`${name}.input.${part}`, glorot(rng, width, hidden));
  for (const part of PARTS) into.set(`${name}.recurrent.${part}`, glorot(rng, hidden, hidden));
  for (const part of PARTS) into.set(`${name}.bias.${part}`, constant([hidden], 0));
  into.set(`${name}.start`, normal(rng, [1, hidden], 0.1));
}

/**
 * States after each position, x [B, L, D] → [B, L, H], from the learned `start`. Where `absent` [B, L] is 1 the state stays as it is, so
 * padding before the first event leaves `start` there.
 */
export function recurrent(params: Params, name: string, x: tf.Tensor3D, absent: tf.Tensor2D): tf.Tensor3D {
  const all = (kind: string): tf.Tensor =>
    tf.concat(
      PARTS.map((part) => params.get(`${name}.${kind}.${part}`)),
      -1,
    );
  const start = params.get(`${name}.start`);
  const hidden = start.shape[1]!;
  const closing = tf.concat([tf.zeros([hidden]), tf.fill([hidden], CLOSED), tf.zeros([hidden])]);
  const inputs = tf.add(linear(x, all('input'), all('bias')), tf.mul(tf.expandDims(absent, 2), closing));
  const states = tf.add(tf.zeros([x.shape[0], hidden]), start) as tf.Tensor2D;
  return gru(inputs as tf.Tensor3D, all('recurrent') as tf.Tensor2D, states);
}
