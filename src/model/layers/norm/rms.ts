import * as tf from '@tensorflow/tfjs-core';
import { constant } from '../../initial.js';
import type { Norm } from './norm.js';

const EPSILON = 1e-6;

/** Root-mean-square normalisation (Zhang & Sennrich 2019): x / √(mean(x²) + 1e-6) · gain; nothing is centred. */
export const rms: Norm = {
  init(into, name, width) {
    into.set(`${name}.gain`, constant([width], 1));
  },
  apply(params, name, x) {
    const size = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), EPSILON));
    return tf.mul(tf.mul(x, size), params.get(`${name}.gain`));
  },
};
