import type { Random } from '../../random.js';
import type { Policy } from './schema.js';
import { bestOfDrawn, drawnBest } from './thompson.js';

/** The items that one place of a list may go to, in the order of the pool. */
export interface Open {
  /** What each is worth, in the units of scores (logits). */
  readonly worth: Float64Array;
  /** Interactions that each has had. */
  readonly counts: Float64Array;
}

/** Which of the open items takes the place, and how likely that was. */
export interface Choice {
  readonly at: number;
  /** Probability of the choice, given the items above. */
  readonly propensity: number;
}

/** Fills one place of a list. Equal worths: the first is best. */
export function choose(policy: Policy, open: Open, random: Random): Choice {
  const at = drawn(policy, open, random);
  return { at, propensity: propensityOf(policy, open, at) };
}

function drawn({ kind, epsilon, temperature }: Policy, open: Open, random: Random): number {
  const { worth } = open;
  switch (kind) {
    case 'none':
      return argmax(worth);
    case 'epsilon-greedy':
      return random.uniform() < epsilon ? random.int(worth.length) : argmax(worth);
    case 'softmax':
      return sampled(softmax(worth, temperature), random.uniform());
    case 'thompson':
      return drawnBest(open, temperature, random);
  }
}

/** Probability that an item takes the place, 0 … 1: exact, or for `thompson` by quadrature within 1e-6. */
export function propensityOf({ kind, epsilon, temperature }: Policy, open: Open, at: number): number {
  const { worth } = open;
  switch (kind) {
    case 'none':
      return argmax(worth) === at ? 1 : 0;
    case 'epsilon-greedy':
      return epsilon / worth.length + (argmax(worth) === at ? 1 - epsilon : 0);
    case 'softmax':
      return softmax(worth, temperature)[at]!;
    case 'thompson':
      return bestOfDrawn(open, temperature, at);
  }
}

/** Probabilities of all open items; they sum to 1. */
export function propensities(policy: Policy, open: Open): Float64Array {
  if (policy.kind === 'softmax') return softmax(open.worth, policy.temperature);
  return Float64Array.from(open.worth, (_, at) => propensityOf(policy, open, at));
}

function argmax(worth: Float64Array): number {
  let best = 0;
  for (let i = 1; i < worth.length; i++) if (worth[i]! > worth[best]!) best = i;
  return best;
}

/** Choosing by it place after place, without replacement, draws a list by the law of Plackett and Luce (Plackett 1975). */
function softmax(worth: Float64Array, temperature: number): Float64Array {
  const high = worth[argmax(worth)]!;
  const weights = worth.map((one) => Math.exp((one - high) / temperature));
  const total = weights.reduce((sum, one) => sum + one, 0);
  return weights.map((one) => one / total);
}

/** The place where the running sum passes u; rounding must not lead to an item of probability 0. */
function sampled(probabilities: Float64Array, u: number): number {
  let last = 0;
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] === 0) continue;
    last = i;
    sum += probabilities[i]!;
    if (u < sum) break;
  }
  return last;
}
