import type { ParameterInits } from '../../compute/parameters.js';
import { isMatrix } from '../../storage/quantization.js';

/**
 * Sets the smallest `share` of each matrix to 0, by absolute value (Han et al. 2015). Biases, gains and norms stay.
 * @returns the weights, and the names of the matrices
 */
export function pruneMagnitude(
  inits: ParameterInits,
  share: number,
): { inits: ParameterInits; pruned: Set<string> } {
  const pruned = new Set<string>();
  const sparse: ParameterInits = new Map();
  for (const [name, init] of inits) {
    const matrix = isMatrix(init) && !init.fixed;
    if (matrix) pruned.add(name);
    sparse.set(name, matrix ? { ...init, data: withoutSmallest(init.data, share) } : init);
  }
  return { inits: sparse, pruned };
}

function withoutSmallest(weights: Float32Array, share: number): Float32Array {
  const count = Math.floor(weights.length * share);
  const sizes = weights.map(Math.abs).sort();
  const limit = sizes[count] ?? Number.POSITIVE_INFINITY;
  // Of those at the limit as many as are still wanting, the first ones.
  let ties = count - sizes.indexOf(limit);
  return weights.map((weight) => {
    const size = Math.abs(weight);
    return size < limit || (size === limit && ties-- > 0) ? 0 : weight;
  });
}

/** Number of weights that are not 0. */
export function countNonZero(tensors: Iterable<{ readonly data: ArrayLike<number> }>): number {
  let count = 0;
  for (const { data } of tensors) for (let i = 0; i < data.length; i++) if (data[i] !== 0) count++;
  return count;
}
