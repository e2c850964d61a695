import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import type { TensorMap } from '../../src/types.js';

/** Every number within `absolute + relative · |expected|`. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  absolute = 1e-5,
  relative = 1e-5,
): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  for (let i = 0; i < expected.length; i++) {
    const gap = Math.abs(actual[i]! - expected[i]!);
    const allowed = absolute + relative * Math.abs(expected[i]!);
    assert.ok(gap <= allowed, `${what}[${i}]: ${actual[i]}, expected ${expected[i]} (±${allowed})`);
  }
}

/** Largest difference of two arrays. */
export function largestGap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let gap = 0;
  for (let i = 0; i < a.length; i++) gap = Math.max(gap, Math.abs(a[i]! - b[i]!));
  return gap;
}

/** The same names, shapes and bits. */
export function assertSameTensors(actual: TensorMap, expected: TensorMap, what: string): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort(), `${what}: names`);
  for (const [name, tensor] of expected) {
    const other = actual.get(name)!;
    assert.deepEqual(other.shape, tensor.shape, `${what}: shape of ${name}`);
    assert.deepEqual(other.data, tensor.data, `${what}: ${name}`);
  }
}

/** Fails when `work` leaves more or fewer tensors than it found. */
export async function assertNoLeak(what: string, work: () => void | Promise<void>): Promise<void> {
  const before = tf.memory().numTensors;
  await work();
  assert.equal(tf.memory().numTensors, before, `${what}: tensors left behind`);
}

/** Values of a tensor made inside `make`, which is disposed. */
export function valuesOf(make: () => tf.Tensor): Float32Array {
  const tensor = tf.tidy(make);
  const values = Float32Array.from(tensor.dataSync());
  tensor.dispose();
  return values;
}
