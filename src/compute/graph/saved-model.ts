import { RecsysError } from '../../errors.js';
import type { CompiledFunction } from '../function.js';
import { quietly } from '../native/quiet.js';
import { nativeBackend } from './binding.js';
import type { FrozenGraph } from './frozen.js';
import { nativeBatch } from './session.js';

/**
 * A SavedModel of a frozen graph, read from its directory and run by the native backend.
 * @throws BACKEND_UNAVAILABLE where that is not the active one
 */
export function openSavedModel(dir: string, { inputs, outputs }: FrozenGraph): CompiledFunction {
  const binding = nativeBackend()?.binding;
  if (!binding)
    throw new RecsysError('BACKEND_UNAVAILABLE', 'running a SavedModel needs the tensorflow backend');
  const id = quietly(() => binding.loadSavedModel(dir, 'serve'));
  const tensors = (ports: FrozenGraph['inputs']): string => ports.map(({ name }) => `${name}:0`).join(',');
  return {
    async run(batch) {
      const read = Object.fromEntries(inputs.map(({ name }) => [name, batch[name]!]));
      const fed = nativeBatch(binding, read, (name) => name);
      try {
        const results = binding.runSavedModel(id, [...fed.values()], tensors(inputs), tensors(outputs));
        return new Map(
          results.map((result, i) => {
            const data = Float32Array.from(binding.tensorDataSync(result.id));
            binding.deleteTensor(result.id);
            return [outputs[i]!.name, data] as const;
          }),
        );
      } finally {
        for (const tensor of fed.values()) binding.deleteTensor(tensor);
      }
    },
    dispose: () => binding.deleteSavedModel(id),
  };
}
