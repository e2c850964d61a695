import * as tf from '@tensorflow/tfjs-core';
import type { Residual } from './residual.js';

/** x + found (He et al. 2016). */
export const plain: Residual = {
  init() {},
  apply: (_params, _name, x, found) => tf.add(x, found),
};
