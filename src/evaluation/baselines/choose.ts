import { type Dataset, SPLIT } from '../../data/dataset.js';
import type { Scorer } from '../../types.js';
import { evaluateScorer } from '../evaluate.js';
import { evaluationQueries } from '../queries.js';
import type { FitOptions } from './baseline.js';

/** Users asked when a hyperparameter is chosen: enough to tell settings apart, quick on a large dataset. */
const USERS = 2000;

/** Mean validation NDCG@10 of a scorer under the evaluation's own rules, or NaN where the dataset has no validation rows. */
export async function validationNdcg(dataset: Dataset, scorer: Scorer, options: FitOptions): Promise<number> {
  if (!dataset.interactions.split.includes(SPLIT.validation)) return Number.NaN;
  const { candidates, filterSeen, seed, targetBehaviours } = options;
  const evaluation = evaluationQueries(dataset, 'validation', {
    maxUsers: USERS,
    seed,
    ...(targetBehaviours ? { targetBehaviours } : {}),
  });
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
