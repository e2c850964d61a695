/**
 * Ranking metrics of one query, from the ranks of its relevant items. Formulas: docs/evaluation.md.
 *
 * A rank is 0-based and may be fractional: ties are counted half-way (rank.ts). An item outside the candidates has rank Infinity.
 */

/** The metrics computed at every k, in the order of the columns of a row. */
export const RANKING_METRICS = ['hr', 'ndcg', 'recall', 'precision', 'mrr', 'map'] as const;
export type RankingMetric = (typeof RANKING_METRICS)[number];

/** `ndcg@10` and the like, in the order in which {@link rankingMetrics} writes them. */
export function rankingMetricNames(ks: readonly number[]): string[] {
  return ks.flatMap((k) => RANKING_METRICS.map((metric) => `${metric}@${k}`));
}

/** Discount of a 0-based rank, 1 / log2(rank + 2) (Järvelin & Kekäläinen 2002). */
export function discount(rank: number): number {
  return 1 / Math.log2(rank + 2);
}

/** DCG of `relevant` items on the first places: the best a list of length k can reach has min(k, relevant) of them. */
export function idealDcg(relevant: number): number {
  let sum = 0;
  for (let i = 0; i < relevant; i++) sum += discount(i);
  return sum;
}

/**
 * Writes the metrics of one query into `out` from `offset` on: for each k the six of {@link RANKING_METRICS}.
 *
 * @param ranks ranks of the relevant items, ascending, neighbours at least 1 apart (as rankTargets gives them); not empty.
 * @param ks cut-offs, each at least 1.
 */
export function rankingMetrics(
  ranks: ArrayLike<number>,
  ks: readonly number[],
  out: { [i: number]: number },
  offset = 0,
): void {
  const relevant = ranks.length;
  let at = offset;
  for (const k of ks) {
    let hits = 0;
    let dcg = 0;
    let precisions = 0;
    while (hits < relevant && ranks[hits]! < k) {
      const rank = ranks[hits]!;
      hits++;
      dcg += discount(rank);
      precisions += hits / (rank + 1);
    }
    const reachable = Math.min(k, relevant);
    out[at++] = hits > 0 ? 1 : 0;
    out[at++] = dcg / idealDcg(reachable);
    out[at++] = hits / relevant;
    out[at++] = hits / k;
    out[at++] = hits > 0 ? 1 / (ranks[0]! + 1) : 0;
    out[at++] = precisions / reachable;
  }
}

/** The same as a record by name: for tests and single queries. */
export function metricsOf(ranks: ArrayLike<number>, ks: readonly number[]): Record<string, number> {
  const names = rankingMetricNames(ks);
  const values = new Float64Array(names.length);
  rankingMetrics(ranks, ks, values);
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}
