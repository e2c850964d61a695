import type { Dataset } from '../data/dataset.js';
import type { Scenario } from '../data/tasks.js';
import { baselines } from '../evaluation/baselines/registry.js';
import type { ColdContender } from '../evaluation/cold/evaluate.js';
import { rankingValues } from '../evaluation/cold/ranking.js';
import { type RateTasks, ratingValues } from '../evaluation/cold/rating.js';
import { biasRater, itemMeanRater, meanRater, type Rater } from '../evaluation/cold/rating-baselines.js';
import type { EvaluateConfig } from '../evaluation/schema.js';
import type { Adapter } from '../model/user-states.js';
import type { Scorer, StageContext } from '../types.js';

/** A checkpoint made ready: the state of a user, and the scores of all items. */
export interface OpenedModel {
  readonly name: string;
  readonly adapter: Adapter;
  readonly scorer: Scorer & { dispose(): void };
}

export const RATERS = { mean: meanRater, 'item-mean': itemMeanRater, bias: biasRater } as const;

/** Those that foretell values: means and biases, and every model, adapted and not. */
export function ratingContenders(dataset: Dataset, models: readonly OpenedModel[]): ColdContender[] {
  const measured = (rate: RateTasks): ColdContender['measure'] => {
    return (tasks) => ratingValues(rate, dataset, tasks);
  };
  return [
    ...Object.entries(RATERS).map(
      ([name, rater]): ColdContender => ({
        ...{ name, kind: 'baseline' },
        measure: measured(ratedSimply(rater(dataset))),
      }),
    ),
    ...models.flatMap(({ name, adapter }) => adaptedAndNot(name, measured(ratedBy(adapter)))),
  ];
}

/** Those that rank the scenario's items: fitted baselines, and every model, adapted and not. */
export async function rankingContenders(
  dataset: Dataset,
  models: readonly OpenedModel[],
  config: EvaluateConfig,
  context: StageContext,
): Promise<ColdContender[]> {
  const measured = (scorer: Scorer, name: string): ColdContender['measure'] => {
    return (tasks, scenario) =>
      rankingValues({ ...scorer, name }, dataset, tasks, itemsOf(dataset, scenario), context);
  };
  const contenders: ColdContender[] = [];
  for (const name of config.baselines) {
    const fitted = await baselines[name].fit(dataset, {
      candidates: itemsOf(dataset, { users: 'existing', items: 'existing' }),
      filterSeen: true,
      seed: config.seed,
      easeItems: config.easeItems,
      context,
    });
    if ('skipped' in fitted) context.log('warn', `${name} is left out: ${fitted.skipped}`);
    else contenders.push({ name, kind: 'baseline', measure: measured(fitted.scorer, name) });
  }
  return [
    ...contenders,
    ...models.flatMap(({ name, scorer }) => adaptedAndNot(name, measured(scorer, name))),
  ];
}

function adaptedAndNot(name: string, measure: ColdContender['measure']): ColdContender[] {
  return [
    { name, kind: 'model', measure },
    { name: `${name}, no event given`, kind: 'unadapted', measure },
  ];
}

/** Mask of the items that a scenario is about. */
function itemsOf({ catalogue }: Dataset, { items }: Scenario): Uint8Array {
  const mask = Uint8Array.from(catalogue.itemCounts, (count) => Number(count > 0 === (items === 'existing')));
  mask[0] = 0;
  return mask;
}

function ratedSimply(rater: Rater): RateTasks {
  return async (queries, items, count) => {
    const out = new Float32Array(items.length);
    queries.forEach((query, n) => {
      out.set(rater.rate(query, items.subarray(n * count, (n + 1) * count)), n * count);
    });
    return out;
  };
}

function ratedBy(adapter: Adapter): RateTasks {
  return async (queries, items, count) => adapter.rate(await adapter.adapt(queries), items, count);
}
