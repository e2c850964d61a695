import { recordsSteps } from '../compute/compile.js';
import { costliest, traced } from '../compute/graph/trace.js';
import type { CompiledStep } from '../compute/step.js';
import type { StageContext } from '../types.js';
import type { BatchSource } from './batches.js';

const SHOWN = 15;

/** Takes one more step of a run whose result is safe, and says what its operations cost. */
export async function profile(
  step: CompiledStep,
  batches: BatchSource,
  context: StageContext,
): Promise<void> {
  if (!recordsSteps()) {
    context.log('warn', 'a profile needs the native backend: `recsys backend install`');
    return;
  }
  const batch = batches.batch(0, 0);
  // The first step after another shape pays for what that one had in the caches.
  await step.run([batch], 0);
  const started = performance.now();
  const nodes = await traced(() => step.run([batch], 0));
  const milliseconds = (performance.now() - started).toFixed(1);
  context.log('info', `a step of ${nodes.length} operations took ${milliseconds} ms; the costliest:`);
  for (const { op, count, milliseconds, share } of costliest(nodes, SHOWN))
    context.log('info', `${op} × ${count}: ${milliseconds.toFixed(1)} ms, ${(100 * share).toFixed(0)} %`);
}
