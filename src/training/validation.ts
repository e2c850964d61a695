import type { ParameterStore } from '../compute/parameters.js';
import type { Dataset } from '../data/dataset.js';
import { evaluateScorer } from '../evaluation/evaluate.js';
import { evaluationQueries } from '../evaluation/queries.js';
import type { Model } from '../model/model.js';
import { paramsScorer } from '../model/scorer.js';
import type { TargetsConfig, ValidationConfig } from './schema.js';

/** Full-ranking metrics on the dataset's validation rows, with the parameters as they are at the call. */
export function rankingValidation(
  model: Model,
  store: ParameterStore,
  dataset: Dataset,
  config: ValidationConfig,
  targets: TargetsConfig,
  seed: number,
): (() => Promise<Record<string, number>>) | undefined {
  if (dataset.manifest.counts.validation === 0) return undefined;
  const evaluation = evaluationQueries(dataset, 'validation', {
    ...(targets.behaviours ? { targetBehaviours: targets.behaviours } : {}),
    maxUsers: config.users,
    seed,
  });
  if (evaluation.queries.length === 0) return undefined;
  const items = dataset.catalogue.items.length - 1;
  return async () => {
    const reader = store.reader();
    const whole = new Map([...store.tables.keys()].map((name) => [name, store.whole(name)] as const));
    const params = {
      get: (name: string) => whole.get(name) ?? reader.get(name),
      lookup: reader.lookup,
    };
    try {
      const { metrics } = await evaluateScorer(paramsScorer(model, params, items, model.name), evaluation, {
        ks: [10],
      });
      return metrics;
    } finally {
      for (const tensor of whole.values()) tensor.dispose();
    }
  };
}
