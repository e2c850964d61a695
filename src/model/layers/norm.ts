import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import { constant } from '../initial.js';

export function initNorm(into: ParameterInits, name: string, width: number): void {
  into.set(`${name}.gain`, constant([width], 1));
  into.set(`${name}.bias`, constant([width], 0));
}

/** Layer normalisation over the last axis (Ba, Kiros & Hinton 2016): (x − mean) / √(variance + 1e-6) · gain + bias. */
export function layerNorm(params: Params, name: string, x: tf.Tensor): tf.Tensor {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true);
  const normed = tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-6)));
  return tf.add(tf.mul(normed, params.get(`${name}.gain`)), params.get(`${name}.bias`));
}
