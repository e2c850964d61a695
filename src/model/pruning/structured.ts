import type { ParameterInit, ParameterInits } from '../../compute/parameters.js';
import { RecsysError } from '../../errors.js';
import { type ModelConfig, modelSchema } from '../registry.js';
import { anatomyOf, partsOf } from './anatomy.js';
import type { Anatomy, Layers, Part, PartName } from './parts.js';

/** A model by its config and its weights. */
export interface Weights {
  readonly config: ModelConfig;
  readonly inits: ParameterInits;
}

/**
 * Takes the least of each part out of a model, which becomes a smaller one of the same kind. What a head, a channel or a dimension
 * weighs is the sum of the squares of all weights that lead into it and out of it; what a block weighs, that of what it writes.
 *
 * @param share of each part, above 0 and below 1: at least one is removed, and at least one stays
 * @throws CONFIG_INVALID for a part that the model has not, or has one of
 */
export function pruneStructure(weights: Weights, parts: readonly PartName[], share: number): Weights {
  return parts.reduce((smaller, part) => prunePart(smaller, part, share), weights);
}

function prunePart(weights: Weights, name: PartName, share: number): Weights {
  const anatomy = anatomyOf(weights.config);
  const part = name === 'layers' ? undefined : anatomy.parts[name];
  const smaller = part
    ? pruneDimensions(weights, anatomy, name, part, share)
    : name === 'layers' && anatomy.layers
      ? pruneLayers(weights, anatomy.layers, share)
      : undefined;
  if (!smaller) {
    const known = partsOf(anatomy).join(', ') || 'none; `prune.method: magnitude` needs none';
    throw invalid(`the model ${weights.config.name} has no ${name} to remove (it has ${known})`);
  }
  const checked = modelSchema.safeParse(smaller.config);
  if (checked.success) return { ...smaller, config: checked.data };
  const { path, message } = checked.error.issues[0]!;
  throw invalid(
    `without ${share} of its ${name} the model could not be built: ${path.join('.')}: ${message}`,
  );
}

function pruneDimensions(
  weights: Weights,
  anatomy: Anatomy,
  name: PartName,
  part: Part,
  share: number,
): Weights {
  let { inits } = weights;
  const left: number[] = [];
  for (const [dimension, size] of part.dimensions) {
    const kept = heaviest(weightOf(inits, anatomy, dimension, size), remaining(size, share, name));
    inits = new Map(
      [...inits].map(([of, init]) => [of, without(init, anatomy.axes(of), dimension, size, kept)]),
    );
    left.push(kept.length);
  }
  return { config: part.shrunk(left), inits };
}

function pruneLayers({ inits }: Weights, layers: Layers, share: number): Weights {
  const { count, prefix, outputs } = layers;
  const weights = Array.from({ length: count }, (_, block) =>
    outputs.reduce((sum, name) => sum + squares(inits.get(prefix(block) + name)?.data ?? []), 0),
  );
  const kept = heaviest(weights, remaining(count, share, 'layers'));
  const all = Array.from({ length: count }, (_, block) => prefix(block));
  const pruned: ParameterInits = new Map();
  for (const [name, init] of inits) {
    const block = all.findIndex((begin) => name.startsWith(begin));
    const place = kept.indexOf(block);
    if (block < 0) pruned.set(name, init);
    else if (place >= 0) pruned.set(prefix(place) + name.slice(prefix(block).length), init);
  }
  return { config: layers.shrunk(kept.length), inits: pruned };
}

/** How many of `size` stay. */
function remaining(size: number, share: number, name: PartName): number {
  if (size < 2) throw invalid(`the model has ${size} of its ${name}, and one has to stay`);
  return size - Math.min(size - 1, Math.max(1, Math.round(size * share)));
}

/** Positions of the `count` largest, ascending; of equal ones the first. */
function heaviest(weights: readonly number[], count: number): number[] {
  const order = weights.map((_, i) => i).sort((a, b) => weights[b]! - weights[a]! || a - b);
  return order.slice(0, count).sort((a, b) => a - b);
}

/** For each position of a dimension, the sum of squares of all weights that stand there. */
function weightOf(inits: ParameterInits, anatomy: Anatomy, dimension: string, size: number): number[] {
  const weights = new Array<number>(size).fill(0);
  for (const [name, { shape, data }] of inits) {
    anatomy.axes(name).forEach((along, axis) => {
      if (along !== dimension) return;
      const { inner, each } = strides(shape, axis, size);
      data.forEach((value, i) => {
        weights[Math.floor(i / (inner * each)) % size]! += value * value;
      });
    });
  }
  return weights;
}

/** A parameter with only the kept positions of a dimension, along each axis that it runs along. */
function without(
  init: ParameterInit,
  axes: readonly (string | undefined)[],
  dimension: string,
  size: number,
  kept: readonly number[],
): ParameterInit {
  let { shape, data } = init;
  for (const [axis, along] of axes.entries()) {
    if (along !== dimension) continue;
    const { inner, each, outer } = strides(shape, axis, size);
    const block = inner * each;
    const left = new Float32Array(outer * kept.length * block);
    for (let o = 0; o < outer; o++) {
      kept.forEach((from, to) => {
        const at = (o * size + from) * block;
        left.set(data.subarray(at, at + block), (o * kept.length + to) * block);
      });
    }
    shape = shape.map((length, a) => (a === axis ? kept.length * each : length));
    data = left;
  }
  return { ...init, shape, data };
}

/** Values of an axis' position: `outer` times `size` positions of `each` places of `inner` values. */
function strides(shape: readonly number[], axis: number, size: number) {
  const product = (lengths: readonly number[]): number => lengths.reduce((a, b) => a * b, 1);
  const each = shape[axis]! / size;
  if (!Number.isInteger(each))
    throw new Error(`an axis of ${shape[axis]} is no multiple of its dimension's ${size}`);
  return { outer: product(shape.slice(0, axis)), each, inner: product(shape.slice(axis + 1)) };
}

function squares(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

function invalid(message: string): RecsysError {
  return new RecsysError('CONFIG_INVALID', `prune.parts: ${message}`, {
    remedy: 'Name parts that the model has (`recsys inspect` shows its config).',
  });
}
