import type { Random } from '../random.js';

/** Draws items, each independently, and says how likely each of them is. */
export interface Sampler {
  /** One item. `batch`: the targets of the batch, which may be empty. */
  draw(batch: Int32Array, rng: Random): number;
  /** log q(item), with q the probability of an item in a draw. */
  logProbability(item: number): number;
}

/** @param counts [items + 1] how often each item is a target; entry 0 is padding. */
type MakeSampler = (counts: Float64Array) => Sampler;

/** Every item alike. */
const uniform: MakeSampler = (counts) => {
  const items = counts.length - 1;
  return { draw: (_batch, rng) => 1 + rng.int(items), logProbability: () => -Math.log(items) };
};

/** q ∝ (count + 1)^¾: the exponent keeps rare items in play (Mikolov et al. 2013). */
const popularity: MakeSampler = (counts) =>
  weighted(counts.map((count, item) => (item === 0 ? 0 : (count + 1) ** 0.75)));

/** Targets of other positions of the batch (Yi et al. 2019): over many batches an item comes as often as it is a target. */
const inBatch: MakeSampler = (counts) => {
  const targets = weighted(counts);
  return {
    draw: (batch, rng) => (batch.length > 0 ? batch[rng.int(batch.length)]! : targets.draw(batch, rng)),
    logProbability: targets.logProbability,
  };
};

/** Half of the draws in-batch, half uniform (Yang et al. 2020): items that are no one's target are pushed down as well. */
const mixed: MakeSampler = (counts) => {
  const [common, any] = [inBatch(counts), uniform(counts)];
  return {
    draw: (batch, rng) => (rng.int(2) === 0 ? common : any).draw(batch, rng),
    logProbability: (item) =>
      Math.log((Math.exp(common.logProbability(item)) + Math.exp(any.logProbability(item))) / 2),
  };
};

/** Every way to draw shared negatives, by its name in the YAML. */
export const SAMPLERS = {
  uniform,
  popularity,
  'in-batch': inBatch,
  mixed,
} as const satisfies Record<string, MakeSampler>;
export type SamplerName = keyof typeof SAMPLERS;
export const SAMPLER_NAMES = Object.keys(SAMPLERS) as [SamplerName, ...SamplerName[]];

/** Items with probabilities proportional to weights, drawn by a binary search in their running sums. */
function weighted(weights: Float64Array): Sampler {
  const sums = new Float64Array(weights.length);
  for (let i = 1; i < weights.length; i++) sums[i] = sums[i - 1]! + weights[i]!;
  const total = sums.at(-1)!;
  return {
    draw(_batch, rng) {
      const at = rng.uniform() * total;
      let low = 1;
      let high = weights.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sums[middle]! > at) high = middle;
        else low = middle + 1;
      }
      return low;
    },
    logProbability: (item) => Math.log(weights[item]! / total),
  };
}
