import { compileStep } from '../../src/compute/compile.js';
import { OPTIMIZERS, type OptimizerName } from '../../src/compute/optimizers/index.js';
import type { GroupRate } from '../../src/compute/optimizers/optimizer.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import type { Batch, CompiledStep, StepOptions } from '../../src/compute/step.js';
import type { TensorMap } from '../../src/types.js';
import { inits, OTHER, squared } from './step-model.js';

type Options = Partial<Omit<StepOptions, 'store' | 'optimizer'>> & {
  sparse?: boolean;
  optimizer?: OptimizerName;
};

/** A way to make steps: op by op, or recorded where the backend can. */
export interface StepCase {
  readonly compile: boolean;
}

/** Ways to take steps with the small model, and to say what they did. */
export function stepper({ compile }: StepCase) {
  const using = async <T>(
    options: Options,
    work: (step: CompiledStep, store: ParameterStore) => Promise<T>,
  ): Promise<T> => {
    const { sparse = false, optimizer = 'sgd', ...rest } = options;
    const store = new ParameterStore(inits(), new Map(), { sparseTables: sparse });
    const step = compileStep({
      store,
      optimizer: OPTIMIZERS[optimizer](),
      loss: squared,
      seed: 1,
      compile,
      ...rest,
    });
    try {
      return await work(step, store);
    } finally {
      step.dispose();
      store.dispose();
    }
  };
  /** Parameters after these steps, and what the steps said. */
  const after = (
    options: Options,
    steps: readonly (readonly Batch[])[],
    rate = 0.1,
    rates?: (n: number) => readonly GroupRate[],
  ) =>
    using(options, async (step, store) => {
      const results = [];
      for (const [n, micro] of steps.entries()) results.push(await step.run(micro, rate, rates?.(n)));
      return { results, tensors: await store.export() };
    });
  const afterOther = async (step: CompiledStep, store: ParameterStore) => {
    await step.run([OTHER], 0.1);
    return { tensors: await store.export(), state: await step.export() };
  };
  const start = new Map(
    [...inits()].map(([name, { shape, data }]) => [name, { dtype: 'F32' as const, shape, data }]),
  );
  const gap = (a: TensorMap, name: string): number[] =>
    Array.from(a.get(name)!.data, (v, i) => v - start.get(name)!.data[i]!);
  return { using, after, afterOther, start, gap };
}
