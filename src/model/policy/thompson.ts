import type { Random } from '../../random.js';
import { normalCumulative } from './normal.js';

interface Beliefs {
  readonly worth: Float64Array;
  readonly counts: Float64Array;
}

/**
 * Beliefs about scores: independent Gaussians around the model's, of standard deviation `spread` / √(1 + interactions). A place goes to the
 * best of one draw from each (Thompson 1933), drawn anew for each place.
 */
export function drawnBest({ worth, counts }: Beliefs, spread: number, random: Random): number {
  let best = 0;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < worth.length; i++) {
    const drawn = worth[i]! + deviation(spread, counts[i]!) * random.normal();
    if (drawn > high) [best, high] = [i, drawn];
  }
  return best;
}

const deviation = (spread: number, count: number): number => spread / Math.sqrt(1 + count);

/** Standard deviations beyond which a Gaussian is taken for nothing. */
const REACH = 7;
const TOLERANCE = 1e-9;
const DEEPEST = 24;

/** Probability that item `at` has the highest draw: ∫ φ_at(x) Π_j Φ_j(x) dx, by adaptive Simpson quadrature. */
export function bestOfDrawn({ worth, counts }: Beliefs, spread: number, at: number): number {
  const middle = worth[at]!;
  const own = deviation(spread, counts[at]!);
  const rivals: { mean: number; deviation: number }[] = [];
  let low = middle - REACH * own;
  for (let j = 0; j < worth.length; j++) {
    const width = deviation(spread, counts[j]!);
    // Who cannot reach the bottom of this item's range takes nothing from it.
    if (j === at || worth[j]! + REACH * width < low) continue;
    rivals.push({ mean: worth[j]!, deviation: width });
  }
  for (const rival of rivals) low = Math.max(low, rival.mean - REACH * rival.deviation);
  const high = middle + REACH * own;
  if (low >= high) return 0;
  const density = (x: number): number => {
    const z = (x - middle) / own;
    let value = Math.exp(-0.5 * z * z) / (own * Math.sqrt(2 * Math.PI));
    for (const rival of rivals) value *= normalCumulative((x - rival.mean) / rival.deviation);
    return value;
  };
  // Narrow rivals are steps in the integrand: cut at them, no step falls between two points unseen.
  const cuts = [
    low,
    middle,
    high,
    ...rivals.flatMap(({ mean, deviation: d }) => [mean - 3 * d, mean, mean + 3 * d]),
  ];
  const edges = [...new Set(cuts.filter((x) => x >= low && x <= high))].sort((a, b) => a - b);
  let total = 0;
  for (let i = 1; i < edges.length; i++) total += integral(density, edges[i - 1]!, edges[i]!);
  return Math.min(1, total);
}

function integral(f: (x: number) => number, a: number, b: number): number {
  const go = (
    [from, to]: readonly [number, number],
    [fa, fm, fb]: readonly [number, number, number],
    whole: number,
    depth: number,
  ): number => {
    const middle = (from + to) / 2;
    const [fl, fr] = [f((from + middle) / 2), f((middle + to) / 2)];
    const left = ((middle - from) / 6) * (fa + 4 * fl + fm);
    const right = ((to - middle) / 6) * (fm + 4 * fr + fb);
    const error = left + right - whole;
    if (depth === 0 || Math.abs(error) <= 15 * TOLERANCE) return left + right + error / 15;
    return (
      go([from, middle], [fa, fl, fm], left, depth - 1) + go([middle, to], [fm, fr, fb], right, depth - 1)
    );
  };
  const ends = [f(a), f((a + b) / 2), f(b)] as const;
  return go([a, b], ends, ((b - a) / 6) * (ends[0] + 4 * ends[1] + ends[2]), DEEPEST);
}
