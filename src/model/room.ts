import type { ParameterInits } from '../compute/parameters.js';
import { Random } from '../random.js';
import type { Catalogue, FeatureTable, HostTensor, TensorMap } from '../types.js';
import { growTensors } from './grow.js';
import type { Model } from './model.js';
import { createModel } from './registry.js';
import type { RestoredModel } from './restore.js';

/** Whether a model can take in items without being trained anew: all that it has of an item is rows of tables. */
export function takesItems(inits: ParameterInits): boolean {
  return [...inits.values()].every(({ grows, table, fixed }) => grows !== 'items' || (table && !fixed));
}

/**
 * A model with rows for items that are not known yet, behind those that are: `rows` altogether, padding included. The new rows have the values
 * that a new model of this seed begins with, no attributes, and no name.
 */
export function withRoom(restored: RestoredModel, rows: number, seed: number, where: string): RestoredModel {
  const { catalogue, config, inits } = restored;
  const more = rows - catalogue.items.length;
  if (more <= 0) return restored;
  const longer = <T>(list: readonly T[], value: T): T[] => [...list, ...new Array<T>(more).fill(value)];
  const itemCounts = new Float32Array(rows);
  itemCounts.set(catalogue.itemCounts);
  const roomy: Catalogue = {
    ...catalogue,
    items: longer(catalogue.items, ''),
    titles: longer(catalogue.titles, ''),
    itemCounts,
    itemFeatures: featuresOf(catalogue.itemFeatures, rows),
  };
  const model = createModel(config, roomy);
  const fresh = freshInits(model, seed);
  const old: TensorMap = new Map();
  for (const [name, { shape, data }] of inits) old.set(name, { dtype: 'F32', shape, data });
  return { model, config, catalogue: roomy, inits: growTensors(fresh, old, where) };
}

/** First values of a model with room: those of rows that no item has yet. */
export function freshInits(model: Pick<Model, 'init'>, seed: number): ParameterInits {
  return model.init(Random.of(seed, 'rows of new items'));
}

/** Tensors that `firstRows` cut, with as many rows as `inits` say: those cut off are the fresh ones again. */
export function allRows(tensors: TensorMap, inits: ParameterInits, fresh: () => ParameterInits): TensorMap {
  let values: ParameterInits | undefined;
  const whole = (name: string, tensor: HostTensor): HostTensor => {
    const { shape, grows } = inits.get(name)!;
    if (grows !== 'items' || tensor.shape[0] === shape[0]) return tensor;
    values ??= fresh();
    const data = Float32Array.from(values.get(name)!.data);
    data.set(tensor.data);
    return { dtype: 'F32', shape, data };
  };
  return new Map([...tensors].map(([name, tensor]) => [name, whole(name, tensor)]));
}

/** The first `rows` of everything that has a row an item. */
export function firstItems(catalogue: Catalogue, rows: number): Catalogue {
  return {
    ...catalogue,
    items: catalogue.items.slice(0, rows),
    titles: catalogue.titles.slice(0, rows),
    itemCounts: catalogue.itemCounts.slice(0, rows),
    itemFeatures: featuresOf(catalogue.itemFeatures, rows),
  };
}

/** Tensors of a model, those that have a row an item cut to `rows`. */
export function firstRows(tensors: TensorMap, inits: ParameterInits, rows: number): TensorMap {
  const cut = (name: string, tensor: HostTensor): HostTensor => {
    const [all, ...width] = tensor.shape;
    if (inits.get(name)?.grows !== 'items' || all! <= rows) return tensor;
    const values = tensor.data.length / all!;
    return { ...tensor, shape: [rows, ...width], data: tensor.data.slice(0, rows * values) };
  };
  return new Map([...tensors].map(([name, tensor]) => [name, cut(name, tensor)]));
}

/** Features of `rows` items: rows that are there, or that say nothing. */
function featuresOf(of: FeatureTable, rows: number): FeatureTable {
  if (of.width === 0 && of.numberNames.length === 0) return { ...of, rows };
  const tokens = new Int32Array(rows * of.width);
  tokens.set(of.tokens.subarray(0, tokens.length));
  const numbers = new Float32Array(rows * of.numberNames.length);
  numbers.set(of.numbers.subarray(0, numbers.length));
  return { ...of, rows, tokens, numbers };
}
