import type { ParameterInits } from '../compute/parameters.js';
import { RecsysError } from '../errors.js';
import type { TensorMap } from '../types.js';

/** Old weights in a grown skeleton: vocabularies keep their rows and new rows keep their fresh values. */
export function growTensors(fresh: ParameterInits, old: TensorMap, where: string): ParameterInits {
  const grown: ParameterInits = new Map();
  for (const [name, init] of fresh) {
    const before = old.get(name);
    const sameWidth = before?.shape.slice(1).join() === init.shape.slice(1).join();
    const fits =
      before &&
      sameWidth &&
      (init.grows ? before.shape[0]! <= init.shape[0]! : before.shape[0] === init.shape[0]);
    if (!before && (init.grows || init.added)) {
      grown.set(name, init);
      continue;
    }
    if (!before || !fits) {
      const found = before ? `[${before.shape}]` : 'nothing';
      throw new RecsysError(
        'CHECKPOINT_INCOMPATIBLE',
        `${where}: tensor "${name}": expected [${init.shape}], found ${found}`,
      );
    }
    const data = Float32Array.from(init.data);
    data.set(before.data);
    grown.set(name, { ...init, data });
  }
  return grown;
}
