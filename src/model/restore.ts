import { hostTensor, type ParameterInits } from '../compute/parameters.js';
import { RecsysError } from '../errors.js';
import { Random } from '../random.js';
import { unpack } from '../storage/quantization.js';
import type { Catalogue, StoredMap, TensorMap } from '../types.js';
import type { Model } from './model.js';
import { createModel, type ModelConfig, parseModelConfig } from './registry.js';

/** The part of a checkpoint a model is rebuilt from. */
export interface StoredModel {
  readonly path: string;
  readonly manifest: { readonly model: { readonly name?: string; readonly config: unknown } };
  readonly tensors: StoredMap;
  readonly catalogue: Catalogue;
}

export interface RestoredModel {
  readonly model: Model;
  readonly config: ModelConfig;
  readonly catalogue: Catalogue;
  /** The checkpoint's values in the model's skeleton. */
  readonly inits: ParameterInits;
}

/**
 * Rebuilds a model from its checkpoint: the skeleton from the config, then every tensor checked by name and shape. Quantized weights
 * become float32 here, since tensor backends compute with nothing else.
 * Throws CHECKPOINT_INCOMPATIBLE naming the tensor, what was expected and what was found.
 */
export function restoreModel(stored: StoredModel): RestoredModel {
  const config = parseModelConfig(stored.manifest.model.config, stored.path);
  const { name } = stored.manifest.model;
  if (name !== undefined && name !== config.name) {
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `${stored.path}: manifest.json says model "${name}", its config "${config.name}"`,
    );
  }
  const model = createModel(config, stored.catalogue);
  const skeleton = model.init(new Random(0));
  const tensors = unpack(stored.tensors, stored.path);
  return { model, config, catalogue: stored.catalogue, inits: fill(skeleton, tensors, stored.path) };
}

/** The skeleton with its values replaced by `tensors`; neither a missing nor an unexpected tensor passes. */
export function fill(skeleton: ParameterInits, tensors: TensorMap, where: string): ParameterInits {
  const filled: ParameterInits = new Map();
  const bad = (message: string): never => {
    throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `${where}: ${message}`);
  };
  for (const [name, init] of skeleton) {
    const found = tensors.get(name);
    const { dtype } = hostTensor(init);
    if (!found) return bad(`tensor "${name}" (expected ${dtype} [${init.shape}]) is missing`);
    if (found.dtype !== dtype || found.shape.join() !== init.shape.join()) {
      return bad(
        `tensor "${name}": expected ${dtype} [${init.shape}], found ${found.dtype} [${found.shape}]`,
      );
    }
    const { fixed } = init;
    if (fixed && found.data.some((value) => value < 0 || value >= fixed.below))
      return bad(`tensor "${name}": a value is not one of 0 … ${fixed.below - 1}`);
    filled.set(name, {
      ...init,
      data: found.data instanceof Float32Array ? found.data : Float32Array.from(found.data),
    });
  }
  for (const name of tensors.keys()) {
    if (!skeleton.has(name)) return bad(`unexpected tensor "${name}"`);
  }
  return filled;
}
