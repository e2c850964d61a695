import * as tf from '@tensorflow/tfjs-core';
import { unit } from '../unit.js';
import type { Similarity } from './similarity.js';

/** cos(state, item) / temperature: no item wins by the length of its vector. The division is made once, in the state. */
export const cosine: Similarity = {
  state: (x, temperature) => tf.mul(unit(x), 1 / temperature),
  item: unit,
};
