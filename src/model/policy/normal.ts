/** Φ(z), to 1.2e-7 relative: the rational Chebyshev fit of erfc in Numerical Recipes (Press et al. 1992, 6.2). */
export function normalCumulative(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.5 * x);
  const fit = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277,
  ].reduceRight((sum, c) => sum * t + c, 0);
  const erfc = t * Math.exp(-x * x + fit);
  return z >= 0 ? 1 - erfc / 2 : erfc / 2;
}
