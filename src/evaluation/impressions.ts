import type { Dataset } from '../data/dataset.js';
import type { Impressions } from '../data/read-impressions.js';
import { RecsysError } from '../errors.js';
import type { Scorer } from '../types.js';
import { auc } from './labels.js';
import { rankingMetricNames, rankingMetrics } from './metrics.js';
import { chooseQueries, type Evaluation, type QueryOptions, targetCodes } from './queries.js';
import { rankTargets } from './rank.js';

/** Impressions as questions, and what of them cannot be asked. */
export interface ImpressionTask {
  readonly evaluation: Evaluation & { readonly shown: readonly Int32Array[] };
  /** Impressions all of whose items were clicked: nothing competes, and they are not asked about. */
  readonly onlyClicked: number;
}

/**
 * One query for every impression: the history is what the user did before its first click, the candidates are what was shown, the
 * targets what was clicked (Wu et al. 2020). The histories are views into the dataset's rows.
 *
 * @throws CONFIG_INVALID for an unknown behaviour or a split of random order, DATA_EMPTY where none can be asked about
 */
export function impressionQueries(
  dataset: Dataset,
  impressions: Impressions,
  options: QueryOptions = {},
): ImpressionTask {
  const { interactions: rows, catalogue, manifest } = dataset;
  if (manifest.split.order !== 'temporal')
    throw new RecsysError(
      'CONFIG_INVALID',
      'impressions: the split’s order is random, so that there is no history before an impression',
    );
  const wanted = targetCodes(catalogue.behaviours, options.targetBehaviours);
  const possible: number[] = [];
  let onlyClicked = 0;
  for (let n = 0; n < impressions.length; n++) {
    if (wanted[rows.behaviour[impressions.row[n]!]!] !== 1) continue;
    if (itemsOf(impressions, n, 0).length > 0) possible.push(n);
    else onlyClicked++;
  }
  if (possible.length === 0)
    throw new RecsysError('DATA_EMPTY', `${manifest.name} has no impression to rank in this part`);
  const asked = Array.from(
    chooseQueries(possible.length, options.maxUsers, options.seed),
    (at) => possible[at]!,
  );
  const queries = asked.map((n) => {
    const row = impressions.row[n]!;
    const user = rows.user[row]!;
    const before = [rows.offsets[user]!, row] as const;
    return {
      user,
      items: rows.item.subarray(...before),
      behaviours: rows.behaviour.subarray(...before),
      ...(manifest.time === 'epoch' ? { times: rows.time.subarray(...before) } : {}),
      values: rows.value.subarray(...before),
      ...(options.asked === 'any' ? {} : { asks: rows.behaviour[row]! }),
    };
  });
  const evaluation = {
    queries,
    ids: asked.map((n, q) => `${catalogue.users[queries[q]!.user]}#${impressions.number[n]}`),
    targets: asked.map((n) => itemsOf(impressions, n, 1).sort()),
    seen: asked.map(() => NONE),
    shown: asked.map((n) => impressions.item.subarray(impressions.offsets[n]!, impressions.offsets[n + 1]!)),
  };
  return { evaluation, onlyClicked };
}

const NONE = new Int32Array(0);

/** The items of impression n that were clicked (1), or those that were not (0). */
function itemsOf({ item, clicked, offsets }: Impressions, n: number, label: 0 | 1): Int32Array {
  const start = offsets[n]!;
  return item.slice(start, offsets[n + 1]).filter((_, i) => clicked[start + i] === label);
}

/** `auc`, `mrr` and `ndcg@k` for each k, in the order in which {@link impressionMetrics} writes them. */
export const impressionMetricNames = (ks: readonly number[]): string[] => [
  'auc',
  'mrr',
  ...ks.map((k) => `ndcg@${k}`),
];

/**
 * The metrics of one impression among what it showed, as MIND's own evaluation has them: the area under the ROC curve, the mean
 * reciprocal rank of the clicked, NDCG@k. Ties count half.
 *
 * @param scores [queries × (items + 1)], the query in row `row`
 * @param out takes the values
 * @throws DIVERGED where a shown item's score is NaN
 */
export function impressionMetrics(
  scores: Float32Array,
  { items, name }: Pick<Scorer, 'items' | 'name'>,
  row: number,
  shown: Int32Array,
  targets: Int32Array,
  ks: readonly number[],
  out: Float64Array,
): void {
  // The shown ones alone, numbered from 1, are a catalogue of their own.
  const own = Float32Array.from([0, ...shown], (item) => scores[row * (items + 1) + item]!);
  const places = Int32Array.from(shown, (_, i) => i + 1).filter((place) =>
    targets.includes(shown[place - 1]!),
  );
  const ranks = rankTargets(own, shown.length, 0, places, NONE, 'all', name);
  const labels = Array.from(shown, (item) => (targets.includes(item) ? 1 : 0));
  out[0] = auc(own.subarray(1), labels);
  out[1] = ranks.reduce((sum, rank) => sum + 1 / (rank + 1), 0) / ranks.length;
  const all = new Float64Array(rankingMetricNames(ks).length);
  rankingMetrics(ranks, ks, all);
  const ndcg = rankingMetricNames(ks).indexOf(`ndcg@${ks[0]}`);
  ks.forEach((_, i) => {
    out[2 + i] = all[ndcg + (i * all.length) / ks.length]!;
  });
}
