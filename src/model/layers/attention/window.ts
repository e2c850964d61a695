import * as tf from '@tensorflow/tfjs-core';

/**
 * What is added to the logits of the last R of L positions, [1, R, L]: −1e9 where an event is not among the newest `seen` up to the
 * position itself, else 0 (sliding window: Beltagy, Peters & Cohan 2020).
 */
export function windowMask(seen: number, steps: number, rows: number): tf.Tensor3D {
  const mask = new Float32Array(rows * steps);
  for (let r = 0; r < rows; r++) {
    const position = steps - rows + r;
    mask.fill(-1e9, r * steps, r * steps + Math.max(0, position - seen + 1));
  }
  return tf.tensor3d(mask, [1, rows, steps]);
}
