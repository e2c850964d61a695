import { RecsysError } from '../../errors.js';
import type { TensorMap } from '../../types.js';
import type { ParameterInits, Table } from '../parameters.js';
import { PlainMemory } from './memory.js';

/** A parameter in host memory, as rows: [n] is n rows of one number. */
export interface PlainParameter extends Table {
  readonly shape: readonly number[];
  /** Held by rows: an update leaves rows that its batch does not touch, and row 0, as they are. */
  readonly sparse: boolean;
}

/** A model's parameters in host memory alone: what `ParameterStore` is where nothing is computed on a backend. */
export class PlainParameters {
  readonly tables = new Map<string, PlainParameter>();

  /** Where they are; undefined where they are too large for one memory. */
  readonly memory: PlainMemory | undefined;

  /**
   * @param inits copied; none of them fixed
   * @param beside how many more arrays of their sizes `memory` has room for
   */
  constructor(inits: ParameterInits, beside = 0) {
    const sizes = [...inits.values()].map(({ shape, data }) => {
      const rows = shape[0] ?? 1;
      return { rows, width: data.length / rows };
    });
    const memory = PlainMemory.for(sizes, 1 + beside);
    this.memory = memory;
    for (const [i, [name, { shape, data: first, table: sparse }]] of [...inits].entries()) {
      const data = memory?.allocate(first.length) ?? new Float32Array(first.length);
      data.set(first);
      this.tables.set(name, { ...sizes[i]!, shape, sparse, data });
    }
  }

  /** `inits` with these arrays as their values. */
  live(inits: ParameterInits): ParameterInits {
    return new Map([...inits].map(([name, init]) => [name, { ...init, data: this.tables.get(name)!.data }]));
  }

  /** All of them, copied. */
  export(): TensorMap {
    return new Map(
      [...this.tables].map(([name, { shape, data }]) => [
        name,
        { dtype: 'F32', shape, data: Float32Array.from(data) },
      ]),
    );
  }

  /** Replaces all values. @throws CHECKPOINT_INCOMPATIBLE naming the tensor, what was expected and found */
  load(tensors: TensorMap): void {
    for (const [name, { shape, data }] of this.tables) {
      const found = tensors.get(name);
      if (found?.dtype !== 'F32' || found.shape.join() !== shape.join())
        throw new RecsysError(
          'CHECKPOINT_INCOMPATIBLE',
          `tensor "${name}": expected F32 [${shape}], found ${found ? `${found.dtype} [${found.shape}]` : 'none'}`,
        );
      data.set(found.data);
    }
  }

  finite(): boolean {
    return [...this.tables.values()].every(({ data }) => data.every(Number.isFinite));
  }
}
