import * as tf from '@tensorflow/tfjs-core';

/** One named array of floats that no step changes. */
export interface HeldValue {
  readonly shape: readonly number[];
  read(): Float32Array;
}

/** One named array of floats, wherever it lives. */
export interface Cell extends HeldValue {
  write(values: Float32Array): void;
}

export function variableCell(variable: tf.Variable): Cell {
  return {
    shape: variable.shape,
    read: () => variable.dataSync() as Float32Array,
    write: (values) => tf.tidy(() => variable.assign(tf.tensor(values, variable.shape))),
  };
}

export function hostCell(shape: readonly number[], array: Float32Array): Cell {
  return { ...heldArray(shape, array), write: (values) => array.set(values) };
}

export function heldArray(shape: readonly number[], array: Float32Array): HeldValue {
  return { shape, read: () => array };
}
