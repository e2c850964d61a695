import * as tf from '@tensorflow/tfjs-core';
import { unit } from '../../layers/unit.js';
import { weightedMean } from '../reduce.js';

/** How the student's features are compared with the teacher's. */
export const ALIGNMENTS = ['cosine', 'mse', 'relational'] as const;
export type Alignment = (typeof ALIGNMENTS)[number];

/**
 * Feature alignment (FitNets: Romero et al. 2015): the student's states, projected [P, Ds] · [Ds, Dt], against the teacher's layer
 * [P, Dt]. `cosine`: both at length 1, so that the squared distance is 2 − 2 cos whatever their scales; `mse`: as they are, the
 * mean over the Dt coordinates.
 */
export function featureAlignment(
  kind: Exclude<Alignment, 'relational'>,
  student: tf.Tensor2D,
  projection: tf.Tensor2D,
  teacher: tf.Tensor2D,
  weights: tf.Tensor,
): tf.Scalar {
  const projected = tf.matMul(student, projection);
  if (kind === 'mse') return weightedMean(tf.mean(tf.square(tf.sub(projected, teacher)), 1), weights);
  const distance = tf.sum(tf.square(tf.sub(unit(projected), unit(teacher))), 1);
  return weightedMean(distance, weights);
}

/** Distances are compared among so many positions of a batch. */
const RELATED = 256;

/**
 * Relational distillation (RKD-D: Park et al. 2019): the distances between positions' features, over their mean, are to be those
 * of the teacher, compared by Huber's loss. It needs no projection: widths may differ. student [P, Ds], teacher [P, Dt].
 */
export function relationalAlignment(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  weights: tf.Tensor,
): tf.Scalar {
  const [positions] = student.shape;
  const size = Math.min(RELATED, positions);
  const apart = Math.floor(positions / size);
  // Evenly spaced: neighbours are of one user.
  const some = (x: tf.Tensor2D): tf.Tensor2D => {
    const [, width] = x.shape;
    const groups = tf.reshape(tf.slice(x, [0, 0], [size * apart, width]), [size, apart, width]);
    return tf.reshape(tf.slice(groups, [0, 0, 0], [size, 1, width]), [size, width]);
  };
  const counted = tf.squeeze(
    tf.cast(tf.greater(some(tf.expandDims(weights, 1) as tf.Tensor2D), 0), 'float32'),
    [1],
  );
  const pairs = tf.mul(tf.expandDims(counted, 1), tf.expandDims(counted, 0)) as tf.Tensor2D;
  const others = tf.sub(pairs, tf.mul(pairs, tf.eye(size))) as tf.Tensor2D;
  const count = tf.maximum(tf.sum(others), 1);
  const of = (x: tf.Tensor2D): tf.Tensor2D => {
    const distances = tf.mul(distancesOf(some(x)), others);
    return tf.div(distances, tf.maximum(tf.div(tf.sum(distances), count), 1e-6)) as tf.Tensor2D;
  };
  const error = tf.abs(tf.sub(of(student), of(teacher)));
  const near = tf.minimum(error, 1);
  // Huber with δ = 1: e²/2 up to 1, then linear.
  const huber = tf.sub(tf.mul(near, error), tf.mul(tf.square(near), 0.5));
  return tf.div(tf.sum(huber), count) as tf.Scalar;
}

/** Euclidean distances between the rows of x [n, D] → [n, n]; smooth where two are the same. */
function distancesOf(x: tf.Tensor2D): tf.Tensor {
  const squares = tf.sum(tf.square(x), 1, true);
  const between = tf.sub(tf.add(squares, tf.transpose(squares)), tf.mul(2, tf.matMul(x, x, false, true)));
  return tf.sqrt(tf.add(tf.relu(between), 1e-8));
}
