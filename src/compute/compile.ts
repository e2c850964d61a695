import * as tf from '@tensorflow/tfjs-core';
import { EagerStep, uploadBatch } from './eager-step.js';
import type { CompiledFunction, HostWork } from './function.js';
import { nativeBackend } from './graph/binding.js';
import { GraphFunction } from './graph/function.js';
import { GradientStep } from './graph/gradient-step.js';
import { GraphStep } from './graph/graph-step.js';
import type { HeldTensors, ParameterStore } from './parameters.js';
import type { CompiledStep, StepOptions } from './step.js';

/**
 * Builds the training step of a loss: forward, gradients, clipping, optimizer. Dense parameters are updated whole, tables
 * only in the rows the batch touched. On the native backend the step is recorded once a batch shape and then runs as one
 * TensorFlow graph; elsewhere it runs op by op.
 */
export function compileStep(options: StepOptions): CompiledStep {
  const eager = new EagerStep(options);
  const native = nativeBackend();
  if (!native || options.compile === false) return eager;
  if (!options.accepts) return new GraphStep(options, eager, native);
  const { held, store } = options;
  return held && isPlain(options) && gathersTables(store)
    ? new GradientStep(options, eager, native, held)
    : eager;
}

/** Numbers of tables that are brought to the backend anew after each update, to be read by a recorded function. */
const LARGEST_GATHERED = 16_000_000;

/** Whether there is nothing but a loss and an optimizer. */
function isPlain({ l2 = 0, l2Start, ema = 0, adversary, accumulate = 1 }: StepOptions): boolean {
  return l2 === 0 && !l2Start && ema === 0 && !adversary && accumulate === 1;
}

function gathersTables({ tables }: ParameterStore): boolean {
  let numbers = 0;
  for (const { data } of tables.values()) numbers += data.length;
  return numbers <= LARGEST_GATHERED;
}

/** Whether a step with `accepts` has its gradients from a recorded function. */
export function recordsGradients(step: CompiledStep): step is GradientStep {
  return step instanceof GradientStep;
}

/** Whether steps are recorded on the active backend, so that batches do well to have few shapes. */
export function recordsSteps(): boolean {
  return nativeBackend() !== undefined;
}

/** What a recorded graph reads besides its inputs is part of it, several times while it is made: of more numbers it is not recorded. */
const LARGEST_FROZEN = 64_000_000;

/** The same of a function whose weights change between its runs. Only where steps are recorded (`recordsSteps`). */
export function compileHeld(work: HostWork, held: HeldTensors): GraphFunction {
  return new GraphFunction(work, nativeBackend()!, held);
}

/**
 * Makes a function of fixed weights ready to run many times. On the native backend it is recorded once an input shape, so inputs
 * do well to have few; elsewhere it runs op by op.
 * @param frozen how many numbers it reads besides its inputs
 */
export function compileFunction(work: HostWork, frozen = 0): CompiledFunction {
  const native = nativeBackend();
  if (native && frozen <= LARGEST_FROZEN) return new GraphFunction(work, native);
  return {
    async run(batch) {
      const inputs = uploadBatch(batch);
      const outputs = tf.tidy(() => work(inputs));
      const values = await Promise.all(
        Object.entries(outputs).map(async ([name, t]) => [name, (await t.data()) as Float32Array] as const),
      );
      tf.dispose([...Object.values(inputs), ...Object.values(outputs)]);
      return new Map(values);
    },
    dispose() {},
  };
}
