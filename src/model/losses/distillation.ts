import * as tf from '@tensorflow/tfjs-core';
import { logSumExp } from '../../compute/ops/log-sum-exp.js';
import { unit } from '../layers/unit.js';
import { weightedMean } from './reduce.js';

/**
 * Soft labels (Hinton, Vinyals & Dean 2015): T² · KL(softmax(teacher / T) ‖ softmax(student / T)) over the same candidates,
 * averaged over positions. Both [P, C]; gradient flows to the student only. The T² keeps the gradient's size as T varies.
 */
export function softLabels(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  weights: tf.Tensor,
  temperature: number,
): tf.Scalar {
  const t = tf.div(teacher, temperature) as tf.Tensor2D;
  const s = tf.div(student, temperature) as tf.Tensor2D;
  const logTeacher = tf.sub(t, tf.expandDims(logSumExp(t), 1));
  const probabilities = tf.exp(logTeacher);
  const logStudent = tf.sub(s, tf.expandDims(logSumExp(s), 1));
  const divergence = tf.sum(tf.mul(probabilities, tf.sub(logTeacher, logStudent)), 1);
  return tf.mul(weightedMean(divergence, weights), temperature * temperature) as tf.Scalar;
}

/**
 * Feature alignment (FitNets: Romero et al. 2015): the student's layer, projected [P, Ds] · [Ds, Dt], against the teacher's
 * [P, Dt]. Both are scaled to unit length first, so the squared distance is 2 − 2 cos and independent of the layers' scales.
 */
export function featureAlignment(
  student: tf.Tensor2D,
  projection: tf.Tensor2D,
  teacher: tf.Tensor2D,
  weights: tf.Tensor,
): tf.Scalar {
  const projected = unit(tf.matMul(student, projection));
  const distance = tf.sum(tf.square(tf.sub(projected, unit(teacher))), 1);
  return weightedMean(distance, weights);
}
