import type { ParameterStore, Params } from '../compute/parameters.js';
import type { Dataset } from '../data/dataset.js';
import { evaluateScorer, mean } from '../evaluation/evaluate.js';
import { rankingMetricNames } from '../evaluation/metrics.js';
import { type Evaluation, evaluationQueries, hasTargets } from '../evaluation/queries.js';
import type { Model } from '../model/model.js';
import { paramsScorer } from '../model/scorer.js';
import type { Scorer } from '../types.js';
import type { TargetsConfig, ValidationConfig } from './schema.js';

/** How scorers are validated, and what that gives. */
export interface RankingEvaluation {
  /** Names of the metrics: those of ranking, and per behaviour `ndcg@10/buy` and the like. */
  readonly names: readonly string[];
  metrics(scorer: Scorer): Promise<Record<string, number>>;
}

/** Metrics that are given for each behaviour by itself. */
const PER_BEHAVIOUR = ['hr@10', 'ndcg@10'];

/**
 * Full-ranking metrics of a scorer on the dataset's validation rows; `perBehaviour`: also of the users whose targets are of one
 * behaviour, where there are several. Undefined where there are no rows.
 */
export function rankingEvaluation(
  dataset: Dataset,
  config: ValidationConfig,
  targets: TargetsConfig,
  seed: number,
  perBehaviour = false,
): RankingEvaluation | undefined {
  if (!hasTargets(dataset, 'validation', targets.behaviours)) return undefined;
  const evaluation = evaluationQueries(dataset, 'validation', {
    ...(targets.behaviours ? { targetBehaviours: targets.behaviours } : {}),
    maxUsers: config.users,
    seed,
  });
  const groups = perBehaviour ? byBehaviour(evaluation, dataset.catalogue.behaviours) : [];
  const each = groups.length > 1 ? PER_BEHAVIOUR : [];
  return {
    names: [
      ...rankingMetricNames([10]),
      ...groups.flatMap(({ behaviour }) => each.map((metric) => `${metric}/${behaviour}`)),
    ],
    async metrics(scorer) {
      const { metrics, perUser } = await evaluateScorer(scorer, evaluation, { ks: [10] });
      for (const { behaviour, queries } of groups)
        for (const metric of each)
          metrics[`${metric}/${behaviour}`] = mean(
            Float32Array.from(queries, (q) => perUser.get(metric)![q]!),
          );
      return metrics;
    },
  };
}

/** The queries that ask about each behaviour, in the behaviours' order. */
function byBehaviour({ queries }: Evaluation, behaviours: readonly string[]) {
  return behaviours
    .map((behaviour, b) => ({
      behaviour,
      queries: Array.from(queries.keys()).filter((q) => queries[q]!.asks === b),
    }))
    .filter(({ queries: asking }) => asking.length > 0);
}

/** The same of a model, with the parameters as they are at the call. */
export function rankingValidation(
  model: Model,
  store: ParameterStore,
  dataset: Dataset,
  config: ValidationConfig,
  targets: TargetsConfig,
  seed: number,
): { readonly names: readonly string[]; metrics(): Promise<Record<string, number>> } | undefined {
  const ranking = rankingEvaluation(dataset, config, targets, seed, model.readsAsked);
  if (!ranking) return undefined;
  const items = dataset.catalogue.items.length - 1;
  const scored = (params: Params) => ranking.metrics(paramsScorer(model, params, items, model.name));
  return { names: ranking.names, metrics: () => withWholeTables(store, scored) };
}

/** Runs `work` with parameters of which those held by rows are uploaded once, however often they are read. */
export async function withWholeTables<T>(
  store: ParameterStore,
  work: (params: Params) => Promise<T>,
): Promise<T> {
  const reader = store.reader();
  const whole = new Map([...store.tables.keys()].map((name) => [name, store.whole(name)] as const));
  try {
    return await work({ get: (name) => whole.get(name) ?? reader.get(name), lookup: reader.lookup });
  } finally {
    for (const tensor of whole.values()) tensor.dispose();
  }
}
