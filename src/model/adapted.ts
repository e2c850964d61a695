import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { ParameterInits, Params } from '../compute/parameters.js';
import { RecsysError } from '../errors.js';
import { Random } from '../random.js';
import type { HostTensor, TensorMap } from '../types.js';
import { isBottleneck, withBottlenecks } from './bottlenecks.js';
import { constant, normal } from './initial.js';
import type { Model } from './model.js';
import { createModel } from './registry.js';
import type { RestoredModel } from './restore.js';
import { isUnder } from './weights.js';

/** What an adapter adds to the weights of a model that stay as they are. */
export const adapterSchema = z
  .strictObject({
    kind: z
      .enum(['lora', 'bias', 'bottleneck'])
      .default('lora')
      .describe(
        'lora: a product of two thin matrices to each weight matrix; bias: to biases and norms alone; bottleneck: narrow layers in the blocks of a transformer',
      ),
    rank: z
      .number()
      .int()
      .min(1)
      .default(8)
      .describe('width of the thin matrices (lora) or layers (bottleneck)'),
    alpha: z
      .number()
      .positive()
      .default(16)
      .describe('scale of the product, times 1 / rank (lora): learning rates hold for all ranks'),
    biases: z.boolean().default(false).describe('lora: add to biases and norms as well, as bias does'),
    target: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        'only parameters whose names begin with one of these (lora, bias); default: all that are no embedding tables',
      ),
  })
  .refine(({ kind, target }) => kind !== 'bottleneck' || target === undefined, {
    path: ['target'],
    message: 'bottlenecks stand in every block; `target` is for lora and bias',
  })
  .refine(({ kind, biases }) => kind === 'lora' || !biases, {
    path: ['biases'],
    message: '`biases` is for lora; kind: bias adds to nothing else',
  });
export type AdapterConfig = z.output<typeof adapterSchema>;

const PREFIX = 'adapter/';
const down = (name: string): string => `${PREFIX}${name}/down`;
const up = (name: string): string => `${PREFIX}${name}/up`;
const shift = (name: string): string => `${PREFIX}${name}/shift`;

const isAddition = (name: string): boolean => name.startsWith(PREFIX);

/** Whether a parameter is one that an adapter of this kind brings. */
export const isAdapter = (name: string, { kind }: Pick<AdapterConfig, 'kind'>): boolean =>
  kind === 'bottleneck' ? isBottleneck(name) : isAddition(name);

/** What an adapter is made for. */
export type Adaptable = Pick<RestoredModel, 'model' | 'config' | 'catalogue' | 'inits'>;

/**
 * Names of the parameters that an adapter adds to: matrices [in, out] (lora), vectors (bias), or both.
 * @throws CONFIG_INVALID where there is none
 */
export function adaptedNames(inits: ParameterInits, { kind, rank, biases, target }: AdapterConfig): string[] {
  const able = [...inits].flatMap(([name, init]) => {
    if (isAddition(name) || init.fixed) return [];
    // A table is adapted only where it is named: each of its rows gets weights of its own.
    if (!target && (init.table || init.grows || /embedding/.test(name))) return [];
    const matrix = init.shape.length === 2 && Math.min(...init.shape) > rank;
    const vector = init.shape.length === 1;
    return (kind === 'lora' && matrix) || ((kind === 'bias' || biases) && vector) ? [name] : [];
  });
  const chosen = able.filter((name) => !target || target.some((prefix) => isUnder(name, prefix)));
  const idle = target?.find((prefix) => !able.some((name) => isUnder(name, prefix)));
  if (chosen.length === 0 || idle !== undefined)
    throw new RecsysError(
      'CONFIG_INVALID',
      `adapter: no ${kind === 'lora' ? `matrix wider than its rank ${rank}` : 'bias'}${idle === undefined ? '' : ` begins with "${idle}"`} (there are ${able.join(', ') || 'none'})`,
    );
  return chosen;
}

/**
 * An adapter that adds nothing yet.
 * @throws CONFIG_INVALID where there is nothing to add to
 */
export function adapterInits(base: Adaptable, config: AdapterConfig, rng: Random): ParameterInits {
  const { inits } = base;
  const own: ParameterInits = new Map();
  if (config.kind === 'bottleneck') {
    const whole = createModel(withBottlenecks(base.config, config.rank), base.catalogue).init(rng);
    return new Map([...whole].filter(([name]) => isBottleneck(name)));
  }
  for (const name of adaptedNames(inits, config)) {
    const shape = inits.get(name)!.shape as readonly [number, number] | readonly [number];
    if (shape.length === 1) own.set(shift(name), constant(shape, 0));
    else {
      // Of a table the rows begin at 0, so that one without a gradient, padding among them, stays as it is.
      const { grows } = inits.get(name)!;
      const [rows, columns] = [[shape[0], config.rank] as const, [config.rank, shape[1]] as const];
      own.set(down(name), grows ? constant(rows, 0) : normal(rng, rows, 1 / Math.sqrt(shape[0])));
      own.set(up(name), grows ? normal(rng, columns, 1 / Math.sqrt(shape[1])) : constant(columns, 0));
    }
  }
  return own;
}

/**
 * Parameters W of a model with those of an adapter added: W + (alpha / rank)·down·up (LoRA: Hu et al. 2022), or b + shift (BitFit: Ben
 * Zaken et al. 2022).
 *
 * @param own where the adapter's parameters are read
 */
function withAdapter(params: Params, own: Params, config: AdapterConfig, names: ReadonlySet<string>): Params {
  return {
    get(name) {
      const weight = params.get(name);
      if (!names.has(name)) return weight;
      if (weight.rank === 1) return tf.add(weight, own.get(shift(name)));
      const product = tf.matMul(own.get(down(name)) as tf.Tensor2D, own.get(up(name)) as tf.Tensor2D);
      return tf.add(weight, tf.mul(product, config.alpha / config.rank));
    },
    lookup(name, ids) {
      const rows = params.lookup(name, ids);
      if (!names.has(name)) return rows;
      const left = tf.reshape(own.lookup(down(name), ids), [-1, config.rank]) as tf.Tensor2D;
      const product = tf.matMul(left, own.get(up(name)) as tf.Tensor2D);
      return tf.add(rows, tf.mul(tf.reshape(product, rows.shape), config.alpha / config.rank));
    },
  };
}

/** The model as an adapter makes it; `own` is where the adapter is read, the model's own parameters by default. */
export function adaptedModel(base: Adaptable, config: AdapterConfig, own?: Params): Model {
  if (config.kind !== 'bottleneck') {
    const names = new Set(adaptedNames(base.inits, config));
    return reading(base.model, (params) => withAdapter(params, own ?? params, config, names));
  }
  const deeper = createModel(withBottlenecks(base.config, config.rank), base.catalogue);
  if (!own) return deeper;
  return reading(deeper, (params) => ({
    get: (name) => (isBottleneck(name) ? own : params).get(name),
    lookup: (name, ids) => params.lookup(name, ids),
  }));
}

/** A model that reads its parameters through `of`. */
function reading(model: Model, of: (params: Params) => Params): Model {
  const { candidates } = model;
  const { direct: _, plain: __, ...rest } = model;
  return {
    ...rest,
    encode: (params, batch, pass) => model.encode(of(params), batch, pass),
    logits: (params, states, items, pass) => model.logits(of(params), states, items, pass),
    ...(candidates
      ? { candidates: (params, items, pass) => candidates.call(model, of(params), items, pass) }
      : {}),
  };
}

/**
 * Weights with an adapter added for good; `sign` −1 takes it out again, up to rounding. What is no weight of the model is left out. Not for
 * bottlenecks, which are layers of their own.
 *
 * @param adapter its own tensors, by the names they were trained under
 */
export function merged(weights: TensorMap, adapter: TensorMap, config: AdapterConfig, sign: 1 | -1 = 1) {
  const whole: TensorMap = new Map();
  for (const [name, weight] of weights) {
    if (isAddition(name)) continue;
    const added = addition(name, weight, adapter, config);
    if (!added) whole.set(name, weight);
    else {
      const data = Float32Array.from(weight.data, (x, i) => x + sign * added[i]!);
      whole.set(name, { ...weight, dtype: 'F32', data });
    }
  }
  return whole;
}

/** What an adapter adds to a weight, value by value. */
function addition(
  name: string,
  { shape }: HostTensor,
  adapter: TensorMap,
  { alpha, rank }: AdapterConfig,
): ArrayLike<number> | undefined {
  const left = adapter.get(down(name))?.data;
  const right = adapter.get(up(name))?.data;
  if (!left || !right) return adapter.get(shift(name))?.data;
  const [rows, columns] = shape as [number, number];
  const product = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let k = 0; k < rank; k++)
      for (let c = 0; c < columns; c++)
        product[r * columns + c]! += (left[r * rank + k]! * right[k * columns + c]! * alpha) / rank;
  return product;
}

/**
 * An adapter as it was read, made sure that it goes with a model.
 * @throws CHECKPOINT_DAMAGED where a setting is missing, or a tensor's name or shape is none that the settings make
 */
export function checkedAdapter(
  { path, config: stored, tensors }: { path: string; config: unknown; tensors: TensorMap },
  base: Adaptable,
): { readonly config: AdapterConfig; readonly tensors: TensorMap } {
  const parsed = adapterSchema.safeParse(stored);
  if (!parsed.success)
    throw new RecsysError('CHECKPOINT_DAMAGED', `${path}: the settings are not those of an adapter`);
  const config = parsed.data;
  const expected = adapterInits(base, config, new Random(0));
  const names = new Set([...expected.keys(), ...tensors.keys()]);
  for (const name of names) {
    const [wanted, found] = [expected.get(name)?.shape, tensors.get(name)?.shape];
    if (wanted?.join() === found?.join()) continue;
    const shapes = `expected ${wanted ? `[${wanted}]` : 'nothing'}, found ${found ? `[${found}]` : 'nothing'}`;
    throw new RecsysError('CHECKPOINT_DAMAGED', `${path}: tensor "${name}": ${shapes}`);
  }
  return { config, tensors };
}

/** What a parameter of an adapter is added to; of any other one, itself. */
export const addedTo = (name: string): string =>
  isAddition(name) ? name.slice(PREFIX.length, name.lastIndexOf('/')) : name;
