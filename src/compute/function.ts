import type * as tf from '@tensorflow/tfjs-core';
import type { Batch, Inputs } from './step.js';

/** A function of tensors into float tensors by name; what else it reads must not change, but for what is held. */
export type HostWork = (inputs: Inputs) => Readonly<Record<string, tf.Tensor>>;

/** A function ready to run on host tensors. */
export interface CompiledFunction {
  /** The outputs' values, row-major, by name. */
  run(inputs: Batch): Promise<ReadonlyMap<string, Float32Array>>;
  dispose(): void;
}
