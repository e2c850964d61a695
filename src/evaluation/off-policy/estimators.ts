/** One place of a list that was shown, as another policy sees it. */
export interface Step {
  /** Probability that the logging policy gave the item, given those above; above 0. */
  readonly logged: number;
  /** Probability that the policy to be estimated gives it, given those above. */
  readonly target: number;
  /** What came of it. */
  readonly reward: number;
  /** Reward that a direct model expects of the item. */
  readonly expected: number;
  /** Reward that it expects of the place: the mean over items, weighted by the target's probabilities. */
  readonly expectedOfTarget: number;
}

/** A list that was shown: its places, first to last. */
export interface LoggedList {
  /** What is resampled together. */
  readonly user: string;
  readonly steps: readonly Step[];
}

/**
 * What the weight of a place is. `cascade`: the product of the ratios down to it, exact where what comes of a place depends on the items above it
 * (reward interaction: McInerney et al. 2020). `place`: the ratio at the place alone, of less variance, exact where it depends on nothing but the place's own
 * item and its propensities.
 */
export type Weighting = 'cascade' | 'place';

/** Importance weights of the places of a list: w_i, and that of what stands above, u_i (1 for the first). */
export function weightsOf(steps: readonly Step[], weighting: Weighting): { w: number[]; above: number[] } {
  const w: number[] = [];
  const above: number[] = [];
  let product = 1;
  for (const { target, logged } of steps) {
    const ratio = target / logged;
    above.push(weighting === 'cascade' ? product : 1);
    product *= ratio;
    w.push(weighting === 'cascade' ? product : ratio);
  }
  return { w, above };
}

/** Sums that all estimates are made of, over any set of lists: they add up. */
export interface Sums {
  lists: number;
  /** Σ w r, and Σ of DR's terms. */
  ips: number;
  dr: number;
  /** By place: Σ w r, Σ w and the number of lists that have it. */
  readonly weighted: number[];
  readonly weights: number[];
  readonly places: number[];
}

export const noSums = (): Sums => ({ lists: 0, ips: 0, dr: 0, weighted: [], weights: [], places: [] });

export function addList(sums: Sums, { steps }: LoggedList, weighting: Weighting): void {
  const { w, above } = weightsOf(steps, weighting);
  sums.lists++;
  for (const [i, { reward, expected, expectedOfTarget }] of steps.entries()) {
    const weight = w[i]!;
    sums.ips += weight * reward;
    sums.dr += above[i]! * expectedOfTarget + weight * (reward - expected);
    sums.weighted[i] = (sums.weighted[i] ?? 0) + weight * reward;
    sums.weights[i] = (sums.weights[i] ?? 0) + weight;
    sums.places[i] = (sums.places[i] ?? 0) + 1;
  }
}

export function addSums(into: Sums, { lists, ips, dr, weighted, weights, places }: Sums, times = 1): void {
  into.lists += times * lists;
  into.ips += times * ips;
  into.dr += times * dr;
  for (const [i, value] of weighted.entries()) {
    into.weighted[i] = (into.weighted[i] ?? 0) + times * value;
    into.weights[i] = (into.weights[i] ?? 0) + times * weights[i]!;
    into.places[i] = (into.places[i] ?? 0) + times * places[i]!;
  }
}

/** Names of the estimators: inverse propensity, self-normalised, doubly robust. */
export const ESTIMATORS = ['ips', 'snips', 'dr'] as const;
export type Estimator = (typeof ESTIMATORS)[number];

/**
 * Reward of a list under the target policy:
 * IPS = 1/n Σ w r (Horvitz & Thompson 1952), unbiased where propensities are right and above 0 wherever the target's are;
 * SNIPS, by place, Σ w r / Σ w (Swaminathan & Joachims 2015), biased by little and bounded by the largest reward;
 * DR = 1/n Σ u q(target) + w (r − q) (Dudík, Langford & Li 2011; by place Kiyohara et al. 2022), unbiased as IPS is.
 */
export function estimates({ lists, ips, dr, weighted, weights, places }: Sums): Record<Estimator, number> {
  if (lists === 0) return { ips: 0, snips: 0, dr: 0 };
  let snips = 0;
  for (const [i, sum] of weighted.entries())
    if (weights[i]! > 0) snips += (sum / weights[i]!) * (places[i]! / lists);
  return { ips: ips / lists, snips, dr: dr / lists };
}
