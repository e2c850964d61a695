import { Random } from '../../random.js';
import { type Interval, intervalOf } from '../significance.js';
import {
  addList,
  addSums,
  ESTIMATORS,
  type Estimator,
  estimates,
  type LoggedList,
  noSums,
  type Sums,
  type Weighting,
  weightsOf,
} from './estimators.js';

/** Users below which a bootstrap says little. */
const FEW_USERS = 20;

export interface OffPolicyOptions {
  readonly weighting: Weighting;
  readonly resamples: number;
  readonly seed: number;
}

/** What a policy would have earned, by each estimator, and how far that is to be trusted. */
export interface OffPolicyEstimate {
  readonly lists: number;
  readonly users: number;
  /** Reward of a list, with 95 % intervals over users. */
  readonly estimates: Readonly<Record<Estimator, Interval>>;
  /** What the lists earned as they were shown. */
  readonly logged: Interval;
  /** Kish's (Σ w)² / Σ w², of the weights of whole lists (`cascade`) or of places: as many lists of the target's own would tell as much. */
  readonly effectiveSize: number;
  readonly largestWeight: number;
  /** Mean weight of the first place, 1 up to chance; less where the target shows what the logs never do. */
  readonly coverage: Interval;
  /** How the intervals were made: bootstrap over users, or the normal approximation over lists where users are few. */
  readonly intervals: 'bootstrap' | 'normal';
}

/** Estimates of what a policy would have earned, from the lists of another. @param lists at least one */
export function estimateOffPolicy(
  lists: readonly LoggedList[],
  { weighting, resamples, seed }: OffPolicyOptions,
): OffPolicyEstimate {
  const users = new Map<string, Group>();
  const all = emptyGroup();
  let squares = 0;
  let total = 0;
  let largestWeight = 0;
  for (const list of lists) {
    const group = users.get(list.user) ?? emptyGroup();
    users.set(list.user, group);
    addList(group.sums, list, weighting);
    group.reward += list.steps.reduce((sum, { reward }) => sum + reward, 0);
    const { w } = weightsOf(list.steps, weighting);
    group.first += w[0] ?? 1;
    for (const one of weighting === 'cascade' ? w.slice(-1) : w) {
      total += one;
      squares += one * one;
    }
    for (const one of w) largestWeight = Math.max(largestWeight, one);
  }
  for (const group of users.values()) addGroup(all, group, 1);
  const named = users.size >= FEW_USERS;
  const drawn = named ? resampled([...users.values()], resamples, seed) : undefined;
  const found = figures(all);
  const interval = (name: Figure): Interval =>
    drawn ? intervalOf(found[name], drawn[name], {}) : normal(name, lists, found, weighting);
  return {
    lists: lists.length,
    users: users.size,
    estimates: { ips: interval('ips'), snips: interval('snips'), dr: interval('dr') },
    logged: interval('logged'),
    effectiveSize: squares > 0 ? total ** 2 / squares : 0,
    largestWeight,
    coverage: interval('coverage'),
    intervals: named ? 'bootstrap' : 'normal',
  };
}

const FIGURES = [...ESTIMATORS, 'logged', 'coverage'] as const;
type Figure = (typeof FIGURES)[number];

interface Group {
  readonly sums: Sums;
  reward: number;
  /** Σ of the weights of first places. */
  first: number;
}

const emptyGroup = (): Group => ({ sums: noSums(), reward: 0, first: 0 });

function addGroup(into: Group, { sums, reward, first }: Group, times: number): void {
  addSums(into.sums, sums, times);
  into.reward += times * reward;
  into.first += times * first;
}

function figures({ sums, reward, first }: Group): Record<Figure, number> {
  const { lists } = sums;
  return { ...estimates(sums), logged: reward / Math.max(1, lists), coverage: first / Math.max(1, lists) };
}

/** The figures in each resample of the users, with replacement (Efron & Tibshirani 1993). */
function resampled(users: readonly Group[], resamples: number, seed: number): Record<Figure, Float64Array> {
  const random = Random.of(seed, 'off-policy');
  const drawn = Object.fromEntries(FIGURES.map((name) => [name, new Float64Array(resamples)])) as Record<
    Figure,
    Float64Array
  >;
  for (let r = 0; r < resamples; r++) {
    const group = emptyGroup();
    for (let i = 0; i < users.length; i++) addGroup(group, users[random.int(users.length)]!, 1);
    for (const [name, value] of Object.entries(figures(group))) drawn[name as Figure][r] = value;
  }
  return drawn;
}

const Z = 1.959_963_985;

/** Mean ± z · s / √n of the lists' own terms; of a ratio of means, the linearised ones (delta method). */
function normal(
  name: Figure,
  lists: readonly LoggedList[],
  found: Record<Figure, number>,
  weighting: Weighting,
): Interval {
  const sums = noSums();
  for (const list of lists) addList(sums, list, weighting);
  const n = lists.length;
  const term = (list: LoggedList): number => {
    const own = noSums();
    addList(own, list, weighting);
    if (name === 'ips' || name === 'dr') return own[name];
    if (name === 'logged') return list.steps.reduce((sum, { reward }) => sum + reward, 0);
    if (name === 'coverage') return weightsOf(list.steps, weighting).w[0] ?? 1;
    return own.weighted.reduce((sum, value, i) => {
      if (sums.weights[i] === 0) return sum;
      const ratio = sums.weighted[i]! / sums.weights[i]!;
      const scale = sums.places[i]! / sums.weights[i]!;
      return sum + scale * (value - ratio * own.weights[i]!);
    }, found.snips);
  };
  const terms = lists.map(term);
  const mean = terms.reduce((sum, one) => sum + one, 0) / n;
  const variance = terms.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, n - 1);
  const half = Z * Math.sqrt(variance / n);
  return { mean: found[name], low: found[name] - half, high: found[name] + half };
}
