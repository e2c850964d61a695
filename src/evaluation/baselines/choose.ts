import { type Dataset, SPLIT } from '../../data/dataset.js';
import type { Scorer } from '../../types.js';
import { evaluateScorer } from '../evaluate.js';
import { impressionQueries } from '../impressions.js';
import { evaluationQueries } from '../queries.js';
import type { FitOptions } from './baseline.js';

/** Users asked when a hyperparameter is chosen: enough to tell settings apart, quick on a large dataset. */
const USERS = 2000;

/** Mean validation NDCG@10 of a scorer under the evaluation's own rules, or NaN where there is nothing to validate on. */
export async function validationNdcg(dataset: Dataset, scorer: Scorer, options: FitOptions): Promise<number> {
  const { candidates, filterSeen, seed, targetBehaviours, impressions } = options;
  if (impressions?.length === 0) return Number.NaN;
  if (!dataset.interactions.split.includes(SPLIT.validation)) return Number.NaN;
  const which = { maxUsers: USERS, seed, ...(targetBehaviours ? { targetBehaviours } : {}) };
  const evaluation = impressions
    ? impressionQueries(dataset, impressions, which).evaluation
    : evaluationQueries(dataset, 'validation', which);
  const { metrics } = await evaluateScorer(scorer, evaluation, { ks: [10], candidates, filterSeen });
  return metrics['ndcg@10']!;
}

/** The setting with the best validation NDCG@10; the fallback where there is nothing to validate on. */
export async function choose<T>(
  settings: readonly T[],
  fallback: T,
  validate: (setting: T) => Promise<number>,
): Promise<{ best: T; chosen: boolean }> {
  let best = fallback;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const setting of settings) {
    const score = await validate(setting);
    if (Number.isNaN(score)) return { best: fallback, chosen: false };
    if (score > bestScore) {
      best = setting;
      bestScore = score;
    }
  }
  return { best, chosen: true };
}
