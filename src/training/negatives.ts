import type { Batch } from '../compute/step.js';
import { RecsysError } from '../errors.js';
import type { LossNeed } from '../model/losses/loss.js';
import type { Random } from '../random.js';
import { f32, i32 } from './batches.js';
import { SAMPLERS, type Sampler, type SamplerName } from './samplers.js';
import type { TrainRows } from './train-rows.js';

export interface NegativeOptions {
  readonly need: readonly LossNeed[];
  /** How many: in all when shared, for each group, or for each position when own. */
  readonly count: number;
  /** Items of the catalogue (1 … items). */
  readonly items: number;
  /** How shared ones are drawn; default: uniformly. */
  readonly sampler?: Sampler;
  /** Parts of a batch that have grouped ones of their own; default: 1. */
  readonly groups?: number;
  /** gBCE's t: 0 is plain BCE, 1 undoes the sampling in full. */
  readonly calibration?: number;
}

/** The keys of a task that say how negatives are drawn. */
export interface NegativeConfig {
  readonly loss: string;
  readonly negatives: number;
  readonly negativeSampling?: SamplerName;
  readonly negativeGroups?: number;
  readonly calibration?: number;
}

/** The same as plain data. */
export interface NegativePlan {
  readonly need: readonly LossNeed[];
  readonly count: number;
  readonly items: number;
  readonly sampling: SamplerName;
  readonly groups?: number;
  readonly calibration?: number;
}

/**
 * Plans the negatives that a loss needs.
 * @throws RecsysError CONFIG_INVALID for a sampling that the loss does not correct for
 */
export function planNegatives(
  config: NegativeConfig,
  need: readonly LossNeed[],
  items: number,
): NegativePlan {
  const { loss, negatives: count, negativeSampling: sampling = 'uniform' } = config;
  const { negativeGroups: groups = 1, calibration } = config;
  if (sampling !== 'uniform' && !need.includes('sharedNegatives')) {
    throw new RecsysError(
      'CONFIG_INVALID',
      `negativeSampling: the loss "${loss}" is made for uniform negatives; "${sampling}" ones are for sampled-softmax, which corrects for how they are drawn`,
    );
  }
  if (groups > 1 && !need.includes('groupedNegatives')) {
    throw new RecsysError(
      'CONFIG_INVALID',
      `negativeGroups: only gbce draws negatives for parts of a batch; leave it out for the loss "${loss}"`,
    );
  }
  return { need, count, items, sampling, groups, ...(calibration === undefined ? {} : { calibration }) };
}

/** A plan's options, with the frequencies of the rows' targets. */
export function negativeOptions({ sampling, ...plan }: NegativePlan, rows: TrainRows): NegativeOptions {
  const counts = new Float64Array(plan.items + 1);
  rows.item.forEach((item, r) => {
    if (rows.weight[r]! > 0) counts[item]!++;
  });
  return { ...plan, sampler: SAMPLERS[sampling](counts) };
}

/** Negatives in the form a next-item loss needs, drawn anew for every batch. Own ones are uniform and differ from their target. */
export function drawNegatives(
  targets: Int32Array,
  options: NegativeOptions,
  rng: Random,
): Record<string, Batch[string]> {
  const { need } = options;
  if (need.includes('sharedNegatives')) return shared(targets, options, rng);
  if (need.includes('groupedNegatives')) return grouped(options, rng);
  if (need.includes('ownNegatives')) return own(targets, options, rng);
  return {};
}

function shared(targets: Int32Array, options: NegativeOptions, rng: Random): Record<string, Batch[string]> {
  const { items } = options;
  const count = Math.min(options.count, items);
  const sampler = options.sampler ?? SAMPLERS.uniform(new Float64Array(items + 1));
  const batch = targets.filter((item) => item > 0);
  const drawn = Int32Array.from({ length: count }, () => sampler.draw(batch, rng));
  const logSampling = Float32Array.from(drawn, (item) => -Math.log(count) - sampler.logProbability(item));
  return {
    negatives: i32(drawn, [count]),
    logSampling: f32(logSampling, [count]),
  };
}

/** Uniform ones. */
function grouped(options: NegativeOptions, rng: Random): Record<string, Batch[string]> {
  const { items, groups = 1 } = options;
  const count = Math.min(options.count, items);
  const drawn = Int32Array.from({ length: groups * count }, () => 1 + rng.int(items));
  return {
    negatives: i32(drawn, [groups, count]),
    power: f32(Float32Array.of(powerOf(options, count)), [1]),
  };
}

/**
 * The power β of gBCE: α (t (1 − 1/α) + 1/α) = 1 − t (1 − α), with α = K / (V − 1) the share of the negatives there are that is
 * drawn (Petrov & Macdonald 2023, whose t of 0.75 is the default).
 */
function powerOf({ items, calibration = 0.75 }: NegativeOptions, count: number): number {
  const rate = Math.min(1, count / Math.max(1, items - 1));
  return 1 - calibration * (1 - rate);
}

function own(
  targets: Int32Array,
  { count, items }: NegativeOptions,
  rng: Random,
): Record<string, Batch[string]> {
  const drawn = new Int32Array(targets.length * count);
  for (let i = 0; i < drawn.length; i++) {
    const target = targets[Math.floor(i / count)]!;
    // Uniform over the others: drawn among one fewer, and the target's place skipped.
    const item = 1 + rng.int(Math.max(1, items - 1));
    drawn[i] = target > 0 && item >= target && items > 1 ? item + 1 : item;
  }
  return { negatives: i32(drawn, [targets.length, count]) };
}
