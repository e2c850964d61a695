import type { ParameterStore, Params } from '../compute/parameters.js';
import { type Dataset, SPLIT } from '../data/dataset.js';
import { evaluateScorer } from '../evaluation/evaluate.js';
import { evaluationQueries } from '../evaluation/queries.js';
import type { Model } from '../model/model.js';
import { paramsScorer } from '../model/scorer.js';
import type { Scorer } from '../types.js';
import type { TargetsConfig, ValidationConfig } from './schema.js';

/** Whether a validation row has one of the target behaviours. */
function hasValidation({ interactions: rows, catalogue }: Dataset, targets: TargetsConfig): boolean {
  const wanted = (behaviour: number): boolean =>
    targets.behaviours?.includes(catalogue.behaviours[behaviour]!) ?? true;
  for (let r = 0; r < rows.length; r++) {
    if (rows.split[r] === SPLIT.validation && wanted(rows.behaviour[r]!)) return true;
  }
  return false;
}

/** Full-ranking metrics of a scorer on the dataset's validation rows; undefined where there are none. */
export function rankingEvaluation(
  dataset: Dataset,
  config: ValidationConfig,
  targets: TargetsConfig,
  seed: number,
): ((scorer: Scorer) => Promise<Record<string, number>>) | undefined {
  if (!hasValidation(dataset, targets)) return undefined;
  const evaluation = evaluationQueries(dataset, 'validation', {
    ...(targets.behaviours ? { targetBehaviours: targets.behaviours } : {}),
    maxUsers: config.users,
    seed,
  });
  return async (scorer) => (await evaluateScorer(scorer, evaluation, { ks: [10] })).metrics;
}

/** The same of a model, with the parameters as they are at the call. */
export function rankingValidation(
  model: Model,
  store: ParameterStore,
  dataset: Dataset,
  config: ValidationConfig,
  targets: TargetsConfig,
  seed: number,
): (() => Promise<Record<string, number>>) | undefined {
  const evaluate = rankingEvaluation(dataset, config, targets, seed);
  if (!evaluate) return undefined;
  const items = dataset.catalogue.items.length - 1;
  return () => withWholeTables(store, (params) => evaluate(paramsScorer(model, params, items, model.name)));
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
