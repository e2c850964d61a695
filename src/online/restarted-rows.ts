import { firstValues, type Optimizer } from '../compute/optimizers/optimizer.js';
import type { ParameterInits } from '../compute/parameters.js';
import type { HostTensor, TensorMap } from '../types.js';

/** Optimizer state in which rows of items are as in the beginning: a copy where there are any. */
export function restartedState(
  state: TensorMap,
  rows: readonly number[],
  { inits, optimizer }: { readonly inits: ParameterInits; readonly optimizer: Optimizer },
): TensorMap {
  if (rows.length === 0) return state;
  const restarted = new Map(state);
  for (const [name, { grows }] of inits)
    for (const slot of grows === 'items' ? optimizer.slots : []) {
      const key = `${name}/${slot.name}`;
      const tensor = state.get(key);
      if (!tensor) continue;
      const data = Float32Array.from(tensor.data);
      const width = data.length / tensor.shape[0]!;
      const first = firstValues(slot, new Float32Array(width));
      for (const row of rows) data.set(first, row * width);
      restarted.set(key, { ...tensor, data } as HostTensor);
    }
  return restarted;
}
