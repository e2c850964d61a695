import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../compute/parameters.js';
import type { TensorMap } from '../types.js';

const maskName = (name: string): string => `prune.mask/${name}`;

/** For each named parameter a constant of its shape: 0 where the parameter is 0, else 1. */
export function masksOf(inits: ParameterInits, names: ReadonlySet<string>): TensorMap {
  const masks: TensorMap = new Map();
  for (const name of names) {
    const init = inits.get(name);
    if (!init) continue;
    const data = init.data.map((weight) => (weight === 0 ? 0 : 1));
    masks.set(maskName(name), { dtype: 'F32', shape: init.shape, data });
  }
  return masks;
}

/**
 * Parameters times their masks, for a loss. A weight behind a 0 has no gradient; being 0, it is decayed and penalised by nothing
 * either, so every optimizer leaves it at 0.
 */
export function masked(params: Params, names: ReadonlySet<string>): Params {
  const both = (name: string, read: (of: string) => tf.Tensor): tf.Tensor =>
    names.has(name) ? tf.mul(read(name), read(maskName(name))) : read(name);
  return {
    get: (name) => both(name, (of) => params.get(of)),
    lookup: (name, ids) => both(name, (of) => params.lookup(of, ids)),
  };
}
