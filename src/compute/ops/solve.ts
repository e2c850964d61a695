import * as tf from '@tensorflow/tfjs-core';
import { nativeBackend } from '../graph/binding.js';
import { kernels } from './kernel.js';

/**
 * x of A x = b for symmetric positive definite matrices A [B, n, n] and right sides b [B, n] → [B, n]. With g the gradient of x, that of
 * b is A⁻¹ g, and that of A is −(A⁻¹ g) xᵀ.
 */
export function solvePositiveDefinite(a: tf.Tensor3D, b: tf.Tensor2D): tf.Tensor2D {
  const op = tf.customGrad((...args) => {
    const [a, b, save] = args as unknown as [tf.Tensor3D, tf.Tensor2D, tf.GradSaveFunc];
    save([a, b]);
    return {
      value: solve(a, b),
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) => {
        const [a, b] = saved as [tf.Tensor3D, tf.Tensor2D];
        // Anew, not saved: tfjs does not know what a saved output depends on, and a gradient of this gradient would be wrong.
        const x = solvePositiveDefinite(a, b);
        const toB = solvePositiveDefinite(a, dy as tf.Tensor2D);
        return [tf.neg(tf.matMul(tf.expandDims(toB, 2), tf.expandDims(x, 1))), toB];
      },
    };
  });
  return op(a, b) as tf.Tensor2D;
}

function solve(a: tf.Tensor3D, b: tf.Tensor2D): tf.Tensor2D {
  const native = nativeBackend();
  if (!native) return tf.tensor2d(solveEach(a.dataSync(), b.dataSync(), b.shape), b.shape);
  if (!kernels()) return eliminate(a, b);
  const { binding } = native;
  const attributes = [
    { name: 'adjoint', type: binding.TF_ATTR_BOOL, value: false },
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
  ];
  const x = native.executeSingleOutput('MatrixSolve', attributes, [a, tf.expandDims(b, 2)]);
  return tf.reshape(x, b.shape);
}

/**
 * By Gauss–Jordan elimination in operations that every runtime has, for graphs that are exported. A positive definite matrix needs no
 * pivoting.
 */
export function eliminate(a: tf.Tensor3D, b: tf.Tensor2D): tf.Tensor2D {
  const [size, n] = b.shape;
  let rows = tf.concat([a, tf.expandDims(b, 2)], 2) as tf.Tensor3D;
  for (let k = 0; k < n; k++) {
    const column = tf.slice(rows, [0, 0, k], [size, n, 1]);
    const pivot = tf.slice(rows, [0, k, 0], [size, 1, n + 1]);
    const scaled = tf.div(pivot, tf.slice(pivot, [0, 0, k], [size, 1, 1]));
    // Of its own row the pivot takes all but the scaled one.
    const unit = tf.tensor3d(
      Float32Array.from({ length: n }, (_, i) => (i === k ? 1 : 0)),
      [1, n, 1],
    );
    rows = tf.sub(rows, tf.mul(tf.sub(column, unit), scaled)) as tf.Tensor3D;
  }
  return tf.reshape(tf.slice(rows, [0, 0, n], [size, n, 1]), [size, n]) as tf.Tensor2D;
}

/** By Cholesky's decomposition, one matrix after the other. */
function solveEach(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  [size, n]: readonly [number, number],
): Float32Array {
  const out = new Float32Array(size * n);
  const lower = new Float64Array(n * n);
  const x = new Float64Array(n);
  for (let one = 0; one < size; one++) {
    const from = one * n * n;
    for (let i = 0; i < n; i++) {
      let y = b[one * n + i]!;
      for (let j = 0; j <= i; j++) {
        let sum = a[from + i * n + j]!;
        for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
        lower[i * n + j] = i === j ? Math.sqrt(sum) : sum / lower[j * n + j]!;
      }
      for (let j = 0; j < i; j++) y -= lower[i * n + j]! * x[j]!;
      x[i] = y / lower[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let y = x[i]!;
      for (let j = i + 1; j < n; j++) y -= lower[j * n + i]! * x[j]!;
      x[i] = y / lower[i * n + i]!;
    }
    out.set(x, one * n);
  }
  return out;
}
