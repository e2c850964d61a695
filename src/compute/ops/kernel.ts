import type * as tf from '@tensorflow/tfjs-core';
import { type NativeBackend, nativeBackend, type OpAttribute } from '../graph/binding.js';
import { loadedNative } from '../native/load.js';

/** Attributes of one of our own operations: whole numbers, decimals and flags. */
export interface KernelAttributes {
  readonly int?: Readonly<Record<string, number>>;
  readonly float?: Readonly<Record<string, number>>;
  readonly flag?: Readonly<Record<string, boolean>>;
}

/** Runs one of our own operations (src/compute/native/kernels) by name; gives its outputs. No gradient. */
export type Kernel = (
  name: string,
  inputs: readonly tf.Tensor[],
  attributes: KernelAttributes,
  outputs: number,
) => tf.Tensor[];

/** In what our own operations multiply matrices: sums, and everything else, are float32 in both. */
export const PRECISIONS = ['float32', 'bfloat16'] as const;
export type Precision = (typeof PRECISIONS)[number];

let wanted = true;
let precision: Precision = 'float32';

/** Runs `work` with our own operations multiplying in this precision. */
export function inPrecision<T>(chosen: Precision, work: () => T): T {
  const before = precision;
  precision = chosen;
  try {
    return work();
  } finally {
    precision = before;
  }
}

/** Whether products of bfloat16 are to be had: on the native backend, on a processor made for them. */
export const hasBfloat16 = (): boolean => kernels() !== undefined && loadedNative()!.bfloat16;

/** The attribute of operations that multiply matrices. */
export const multiplies = (): { rounded: boolean } => ({
  rounded: precision === 'bfloat16' && hasBfloat16(),
});

/** Turns our own operations off, and on again: for comparing with what they replace. */
export function useKernels(on: boolean): void {
  wanted = on;
}

/** How to run our own operations, where the active backend has them. */
export function kernels(): Kernel | undefined {
  const native = nativeBackend();
  if (!wanted || !native || !loadedNative()?.kernels) return undefined;
  return (name, inputs, attributes, outputs) =>
    native.executeMultipleOutputs(name, encode(native, attributes), inputs, outputs);
}

function encode({ binding }: NativeBackend, { int, float, flag }: KernelAttributes): OpAttribute[] {
  const of = (type: number, values: Readonly<Record<string, unknown>> = {}): OpAttribute[] =>
    Object.entries(values).map(([name, value]) => ({ name, type, value }));
  return [
    ...of(binding.TF_ATTR_INT, int),
    ...of(binding.TF_ATTR_FLOAT, float),
    ...of(binding.TF_ATTR_BOOL, flag),
  ];
}

type Save = (tensors: tf.Tensor[]) => void;

/** The `save` that tfjs hands to a custom gradient after its inputs. */
export const saver = (last: unknown): Save => last as Save;
