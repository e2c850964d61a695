import * as tf from '@tensorflow/tfjs-core';
import { NEWEST } from '../compute/dropout.js';
import { embeddingLookup, type Params } from '../compute/parameters.js';
import type { Model, SequenceBatch } from './model.js';

/**
 * Rows of a [B, L, D] tensor at flat positions p = b·L + t, [P] → [P, D]. A layer without positions ([B, 1, D]) gives the
 * row of the same user, for any t.
 */
export function atPositions(layer: tf.Tensor3D, positions: tf.Tensor, length: number): tf.Tensor2D {
  const [batch, steps, width] = layer.shape;
  const flat = tf.reshape(layer, [batch * steps, width]);
  const rows = steps === 1 && length !== 1 ? tf.floorDiv(positions, tf.scalar(length, 'int32')) : positions;
  return embeddingLookup(flat, tf.cast(rows, 'int32')) as tf.Tensor2D;
}

/** The states to recommend from, [B, D], with no more computed than they need. */
export function newestStates(model: Model, params: Params, batch: SequenceBatch): tf.Tensor2D {
  return atLast(model.encode(params, batch, NEWEST).states);
}

/** Of [B, L, D], the row at the last position → [B, D]: the state to recommend from. */
export function atLast(states: tf.Tensor3D): tf.Tensor2D {
  const [batch, steps, width] = states.shape;
  return tf.reshape(tf.slice(states, [0, steps - 1, 0], [batch, 1, width]), [batch, width]) as tf.Tensor2D;
}

/** Of x [B, L, …], the newest places, at most `most` → [B, min(L, most), …]. */
export function newestPlaces<T extends tf.Tensor>(x: T, most: number): T {
  const [size, steps] = x.shape as [number, number];
  const from = Math.max(0, steps - most);
  return from === 0 ? x : (tf.slice(x, [0, from], [size, steps - from]) as T);
}
