import type * as tf from '@tensorflow/tfjs-core';
import type { Batch, Inputs } from './step.js';

/** A function of tensors into float tensors by name; what else it reads must not change, but for what is held. */
export type HostWork = (inputs: Inputs) => Readonly<Record<string, tf.Tensor>>;

/** A function ready to run on host tensors. */
export interface CompiledFunction {
  /** The outputs' values, row-major, by name. */
  run(inputs: Batch): Promise<ReadonlyMap<string, Float32Array>>;
  /** Makes it ready for inputs of these shapes, so that no run waits for what is done once a shape; `pause` comes between pieces of work. */
  prepare?(inputs: readonly Batch[], pause: () => Promise<void>): Promise<void>;
  dispose(): void;
}
