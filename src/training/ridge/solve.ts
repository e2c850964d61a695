import * as tf from '@tensorflow/tfjs-core';
import { type BlockMatrix, invertPositiveDefinite } from '../../compute/cholesky.js';
import type { Moments } from './moments.js';

/** A fit: the weights B [inputs × columns], and the mean squared error ‖y − Bᵀx‖² of a position. */
export interface Solution {
  readonly weights: Float32Array;
  readonly loss: number;
}

/**
 * Multi-output ridge regression (Hoerl & Kennard 1970): B = (XᵀWX + λD)⁻¹ XᵀWY, where D is the identity but for the constant, input 0,
 * which nothing holds down. Memory: two matrices of 8 · inputs² bytes, then three of 4 · inputs · columns.
 */
export async function solve(
  { gram, cross, columns, squares, weight }: Moments,
  lambda: number,
  step?: (done: number, total: number) => Promise<void> | void,
): Promise<Solution> {
  const { size, stride } = gram;
  const inverse: BlockMatrix = { ...gram, data: gram.data.slice() };
  for (let i = 1; i < size; i++) inverse.data[i * stride + i]! += lambda;
  await invertPositiveDefinite(inverse, step);
  const packed = new Float32Array(size * size);
  for (let i = 0; i < size; i++) packed.set(inverse.data.subarray(i * stride, i * stride + size), i * size);
  const product = tf.tidy(() =>
    tf.matMul(tf.tensor2d(packed, [size, size]), tf.tensor2d(cross, [size, columns])),
  );
  const weights = (await product.data()) as Float32Array;
  product.dispose();
  // With (XᵀWX + λD) B = XᵀWY the squared error is Σ w ‖y‖² − ⟨B, XᵀWY⟩ − λ⟨B, DB⟩.
  let error = squares;
  for (let i = 0; i < weights.length; i++) {
    const held = i < columns ? 0 : lambda * weights[i]!;
    error -= weights[i]! * (cross[i]! + held);
  }
  return { weights, loss: Math.max(0, error) / weight };
}
