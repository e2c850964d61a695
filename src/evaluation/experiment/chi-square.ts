import { normalCumulative } from '../../model/policy/normal.js';

/**
 * P(X ≥ x) of a chi-square distribution, to 1e-6 relative or better: the finite sums for even and odd degrees of freedom
 * (Abramowitz & Stegun 1964, 26.4.4 and 26.4.5).
 * @param freedom degrees of freedom, from 1
 */
export function chiSquareTail(x: number, freedom: number): number {
  if (x <= 0) return 1;
  const half = x / 2;
  const odd = freedom % 2 === 1;
  // e^(−x/2) (x/2)^i / Γ(i + 1), of i = 0, 1, … or ½, 3/2, …
  let term = odd ? Math.exp(-half) * Math.sqrt(half) * (2 / Math.sqrt(Math.PI)) : Math.exp(-half);
  let sum = odd ? 2 * normalCumulative(-Math.sqrt(x)) : 0;
  for (let i = odd ? 0.5 : 0; i < freedom / 2; i++) {
    sum += term;
    term *= half / (i + 1);
  }
  return Math.min(1, sum);
}

/** Pearson's Σ (observed − expected)² / expected over groups, and how likely so much is by chance. @param shares of the groups, summing to 1 */
export function goodnessOfFit(
  observed: readonly number[],
  shares: readonly number[],
): { readonly chiSquare: number; readonly p: number } {
  const total = observed.reduce((sum, one) => sum + one, 0);
  const chiSquare = observed.reduce((sum, one, i) => {
    const expected = total * shares[i]!;
    return sum + (one - expected) ** 2 / expected;
  }, 0);
  return { chiSquare, p: chiSquareTail(chiSquare, observed.length - 1) };
}
