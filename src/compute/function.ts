import * as tf from '@tensorflow/tfjs-core';
import { uploadBatch } from './eager-step.js';
import { nativeBackend } from './graph/binding.js';
import { GraphFunction } from './graph/function.js';
import type { Batch, Inputs } from './step.js';

/** A function of tensors into float tensors by name; what else it reads must not change. */
export type HostWork = (inputs: Inputs) => Readonly<Record<string, tf.Tensor>>;

/** A function ready to run on host tensors. */
export interface CompiledFunction {
  /** The outputs' values, row-major, by name. */
  run(inputs: Batch): Promise<ReadonlyMap<string, Float32Array>>;
  dispose(): void;
}

/**
 * Makes a function of fixed weights ready to run many times. On the native backend it is recorded once an input shape, so inputs
 * do well to have few; elsewhere it runs op by op.
 */
export function compileFunction(work: HostWork): CompiledFunction {
  const native = nativeBackend();
  if (native) return new GraphFunction(work, native);
  return {
    async run(batch) {
      const inputs = uploadBatch(batch);
      const outputs = tf.tidy(() => work(inputs));
      const values = await Promise.all(
        Object.entries(outputs).map(async ([name, t]) => [name, (await t.data()) as Float32Array] as const),
      );
      tf.dispose([inputs, outputs] as unknown as tf.TensorContainer);
      return new Map(values);
    },
    dispose() {},
  };
}
