import { RecsysError } from '../errors.js';
import { Random } from '../random.js';
import type { Query, Scorer, StageContext } from '../types.js';
import { impressionMetricNames, impressionMetrics } from './impressions.js';
import { rankingMetricNames, rankingMetrics } from './metrics.js';
import type { Evaluation } from './queries.js';
import { type Candidates, rankAmong, rankTargets } from './rank.js';
import { bestItems } from './topk.js';

export interface EvaluateOptions {
  /** Cut-offs, ascending. */
  readonly ks: readonly number[];
  /** Queries scored at a time; default: as many as keep the scores under 64 MiB, at most 256. */
  readonly batchSize?: number;
  readonly candidates?: Candidates;
  /** Remove the history's items from the ranking (never a target). Default true. */
  readonly filterSeen?: boolean;
  /** Rank among this many uniformly drawn negatives instead of all candidates: biased, to be marked wherever it is shown. */
  readonly sampledNegatives?: number;
  readonly seed?: number;
  /** Train counts [items + 1]: with them coverage@k and popularity@k are computed as well. */
  readonly popularity?: Float32Array;
  readonly context?: Pick<StageContext, 'progress' | 'signal'>;
}

export interface EvaluationResult {
  /** Means over queries, and coverage@k and popularity@k where asked. */
  readonly metrics: Record<string, number>;
  /** Value of every ranking metric for each query, in the queries' order. */
  readonly perUser: Map<string, Float32Array>;
  /** Targets that were not candidates: misses at every k. */
  readonly unreachable: number;
}

const SCORE_BYTES = 64 * 2 ** 20;

/**
 * Ranks every query's targets by the scorer, among all candidates or among what was shown with them, and averages the metrics over the
 * queries.
 * Memory: one batch of scores [batchSize × (items + 1)] besides the per-user values.
 *
 * @throws DIVERGED where the scorer gives NaN, INTERRUPTED once the signal is aborted
 */
export async function evaluateScorer(
  scorer: Scorer,
  evaluation: Evaluation,
  options: EvaluateOptions,
): Promise<EvaluationResult> {
  const { ks, popularity, context } = options;
  const { queries, targets, shown } = evaluation;
  const width = scorer.items + 1;
  const batchSize = options.batchSize ?? defaultBatchSize(scorer.items);
  const candidates = options.candidates ?? 'all';
  const names = shown
    ? impressionMetricNames(ks)
    : rankingMetricNames(ks).map((name) => metricName(name, options.sampledNegatives));
  const columns = names.map(() => new Float32Array(queries.length));
  const row = new Float64Array(names.length);
  const lists = popularity ? new ListStatistics(ks, popularity, candidates) : undefined;
  let unreachable = 0;
  const order = shortestFirst(queries);
  for (let start = 0; start < queries.length; start += batchSize) {
    if (context?.signal.aborted)
      throw new RecsysError('INTERRUPTED', `evaluation of ${scorer.name} was interrupted`);
    const indices = order.subarray(start, start + batchSize);
    const batch = Array.from(indices, (index) => queries[index]!);
    const scores = await scorer.score(batch);
    if (scores.length !== batch.length * width) {
      throw new Error(
        `${scorer.name} gave ${scores.length} scores for ${batch.length} queries of ${width} columns`,
      );
    }
    for (let b = 0; b < batch.length; b++) {
      const index = indices[b]!;
      const excluded = options.filterSeen === false ? NONE : evaluation.seen[index]!;
      const relevant = targets[index]!;
      if (shown) impressionMetrics(scores, scorer, b, shown[index]!, relevant, ks, row);
      else {
        const ranks = ranksOf(scores, scorer, b, batch[b]!, relevant, excluded, options);
        for (const rank of ranks) if (rank === Number.POSITIVE_INFINITY) unreachable++;
        rankingMetrics(padded(ranks, relevant.length), ks, row);
      }
      for (let m = 0; m < names.length; m++) columns[m]![index] = row[m]!;
      lists?.add(bestItems(scores, scorer.items, b, ks.at(-1)!, excluded, candidates).items);
    }
    context?.progress({
      task: `evaluate ${scorer.name}`,
      done: Math.min(start + batchSize, queries.length),
      total: queries.length,
    });
  }
  const metrics: Record<string, number> = {};
  names.forEach((name, m) => {
    metrics[name] = mean(columns[m]!);
  });
  lists?.write(metrics);
  return { metrics, perUser: new Map(names.map((name, m) => [name, columns[m]!])), unreachable };
}

/** Ranks of a query's targets among the candidates, or among sampled ones. */
function ranksOf(
  scores: Float32Array,
  { items, name }: Scorer,
  row: number,
  query: Query,
  relevant: Int32Array,
  excluded: Int32Array,
  { candidates = 'all', sampledNegatives, seed }: EvaluateOptions,
): Float64Array {
  if (sampledNegatives === undefined)
    return rankTargets(scores, items, row, relevant, excluded, candidates, name);
  const negatives = sampleNegatives(sampledNegatives, items, relevant, excluded, candidates, query, seed);
  return rankAmong(scores, items, row, reachable(relevant, candidates), negatives, name);
}

/** Indices of the queries by the length of their histories: what is asked together has few places that hold nothing. */
function shortestFirst(queries: readonly Query[]): Uint32Array {
  const lengths = queries.map(({ items }) => items.length);
  return Uint32Array.from(queries.keys()).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
}

/** A metric's name, marked where it was computed among sampled negatives: the two are different quantities. */
export function metricName(name: string, sampledNegatives?: number): string {
  return sampledNegatives === undefined ? name : `${name} (of ${sampledNegatives} sampled)`;
}

const NONE = new Int32Array(0);

export function defaultBatchSize(items: number): number {
  return Math.max(1, Math.min(256, Math.floor(SCORE_BYTES / (4 * (items + 1)))));
}

export function mean(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? 0 : sum / values.length;
}

function reachable(targets: Int32Array, candidates: Candidates): Int32Array {
  return candidates === 'all' ? targets : targets.filter((item) => candidates[item] === 1);
}

/** Targets that are no candidates miss: their ranks are infinite. */
function padded(ranks: Float64Array, length: number): Float64Array {
  if (ranks.length === length) return ranks;
  const all = new Float64Array(length).fill(Number.POSITIVE_INFINITY);
  all.set(ranks);
  return all;
}

/** Distinct items drawn uniformly from the candidates that are neither seen nor targets; the stream depends on the user only. */
function sampleNegatives(
  count: number,
  items: number,
  targets: Int32Array,
  seen: Int32Array,
  candidates: Candidates,
  query: Query,
  seed = 0,
): Int32Array {
  const open: number[] = [];
  const closed = new Uint8Array(items + 1);
  for (const item of targets) closed[item] = 1;
  for (const item of seen) closed[item] = 1;
  for (let item = 1; item <= items; item++) {
    if (closed[item] === 0 && (candidates === 'all' || candidates[item] === 1)) open.push(item);
  }
  const random = Random.of(seed, 'sampled negatives', query.user);
  const size = Math.min(count, open.length);
  for (let i = 0; i < size; i++) {
    const j = i + random.int(open.length - i);
    const chosen = open[j]!;
    open[j] = open[i]!;
    open[i] = chosen;
  }
  return Int32Array.from(open.slice(0, size));
}

/** Coverage@k (share of the candidates in any list) and popularity@k (mean train count of the listed over the largest). */
class ListStatistics {
  private readonly listed: Uint8Array[];
  private readonly sums: Float64Array;
  private readonly slots: Float64Array;
  private readonly most: number;

  constructor(
    private readonly ks: readonly number[],
    private readonly counts: Float32Array,
    private readonly candidates: Candidates,
  ) {
    this.listed = ks.map(() => new Uint8Array(counts.length));
    this.sums = new Float64Array(ks.length);
    this.slots = new Float64Array(ks.length);
    this.most = counts.reduce((a, b) => Math.max(a, b), 0);
  }

  add(list: Int32Array): void {
    this.ks.forEach((k, at) => {
      const length = Math.min(k, list.length);
      this.slots[at]! += length;
      for (let i = 0; i < length; i++) {
        this.listed[at]![list[i]!] = 1;
        this.sums[at]! += this.counts[list[i]!]!;
      }
    });
  }

  write(metrics: Record<string, number>): void {
    let size = this.counts.length - 1;
    if (this.candidates !== 'all') size = this.candidates.reduce((a, b, item) => (item === 0 ? a : a + b), 0);
    this.ks.forEach((k, at) => {
      const covered = this.listed[at]!.reduce((a, b) => a + b, 0);
      metrics[`coverage@${k}`] = size === 0 ? 0 : covered / size;
      metrics[`popularity@${k}`] =
        this.slots[at]! === 0 || this.most === 0 ? 0 : this.sums[at]! / this.slots[at]! / this.most;
    });
  }
}
