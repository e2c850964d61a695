import { EagerStep } from './eager-step.js';
import { nativeBackend } from './graph/binding.js';
import { GraphStep } from './graph/graph-step.js';
import type { CompiledStep, StepOptions } from './step.js';

/**
 * Builds the training step of a loss: forward, gradients, clipping, optimizer. Dense parameters are updated whole, tables
 * only in the rows the batch touched. On the native backend the step is recorded once a batch shape and then runs as one
 * TensorFlow graph; elsewhere it runs op by op.
 */
export function compileStep(options: StepOptions): CompiledStep {
  const eager = new EagerStep(options);
  const native = nativeBackend();
  return native && options.compile !== false ? new GraphStep(options, eager, native) : eager;
}

/** Whether steps are recorded on the active backend, so that batches do well to have few shapes. */
export function recordsSteps(): boolean {
  return nativeBackend() !== undefined;
}
