import * as tf from '@tensorflow/tfjs-core';
import { embeddingLookup } from '../parameters.js';
import { type Kernel, kernels, saver } from './kernel.js';
import { present } from './present.js';

/** Mean of the rows of a table [V, D] that each line of ids [n, A] names, 0 naming none → [n, D]; 0 for a line of none. */
export function embeddingBag(table: tf.Tensor2D, ids: tf.Tensor2D): tf.Tensor2D {
  const kernel = kernels();
  return kernel ? fusedEmbeddingBag(kernel, table, ids) : composedEmbeddingBag(table, ids);
}

export function composedEmbeddingBag(table: tf.Tensor2D, ids: tf.Tensor2D): tf.Tensor2D {
  const mask = present(ids);
  const vectors = tf.mul(embeddingLookup(table, ids), tf.expandDims(mask, 2));
  return tf.div(tf.sum(vectors, 1), tf.maximum(tf.sum(mask, 1, true), 1)) as tf.Tensor2D;
}

/** The rows [n, A, D] are never in memory. */
export function fusedEmbeddingBag(kernel: Kernel, table: tf.Tensor2D, ids: tf.Tensor2D): tf.Tensor2D {
  const op = tf.customGrad((...args) => {
    const [table, save] = args as [tf.Tensor, unknown];
    saver(save)([table, ids]);
    return {
      value: kernel('RecsysEmbeddingBag', [table, ids], {}, 1)[0]!,
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        kernel('RecsysEmbeddingBagGrad', [...saved, dy as tf.Tensor], {}, 1)[0]!,
    };
  });
  return op(table) as tf.Tensor2D;
}
