import { type Dataset, SPLIT } from '../data/dataset.js';
import type { Scenario } from '../data/tasks.js';
import { RecsysError } from '../errors.js';
import { baselines } from '../evaluation/baselines/registry.js';
import { candidateMask } from '../evaluation/candidates.js';
import type { ColdContender } from '../evaluation/cold/evaluate.js';
import { rankingValues } from '../evaluation/cold/ranking.js';
import { type RateTasks, ratingValues } from '../evaluation/cold/rating.js';
import { biasRater, itemMeanRater, meanRater, type Rater } from '../evaluation/cold/rating-baselines.js';
import type { ColdTask } from '../evaluation/cold/schema.js';
import { refuseTrainedOnTest } from '../evaluation/guard.js';
import { sameVocabulary } from '../evaluation/mapped.js';
import type { EvaluateConfig } from '../evaluation/schema.js';
import type { Adapter } from '../model/user-states.js';
import type { Scorer, StageContext } from '../types.js';
import type { NamedCheckpoint } from './open-models.js';

type Measure = ColdContender['measure'];

/** A checkpoint made ready: the state of a user, and how well it does on tasks. */
export interface OpenedModel {
  readonly name: string;
  readonly adapter: Adapter;
  /** False: it is given no event. */
  readonly events: boolean;
  readonly measure: Measure;
  dispose(): void;
}

/** A checkpoint made ready. Its vocabulary has to be the dataset's: what is new is numbered there. */
export async function openCold(
  { name, checkpoint, events }: NamedCheckpoint,
  dataset: Dataset,
  task: ColdTask,
  context: StageContext,
): Promise<OpenedModel> {
  refuseTrainedOnTest(checkpoint, dataset, 'test');
  if (!sameVocabulary(checkpoint.catalogue, dataset.catalogue))
    throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `${checkpoint.path} was trained on another vocabulary`, {
      remedy: 'Train it on the same prepared dataset, the cold users and items of which are numbered too.',
    });
  const { restoreModel } = await import('../model/restore.js');
  const { modelAdapter } = await import('../model/user-states.js');
  const restored = restoreModel(checkpoint);
  const adapter = modelAdapter(restored);
  if (task === 'rating')
    return {
      ...{ name, events, adapter },
      measure: rating(dataset, ratedBy(adapter)),
      dispose: () => adapter.dispose(),
    };
  const { modelScorer } = await import('../model/scorer.js');
  const scorer = modelScorer(restored, name);
  return {
    ...{ name, events, adapter },
    measure: ranking(dataset, scorer, context),
    dispose() {
      adapter.dispose();
      scorer.dispose();
    },
  };
}

export const RATERS = { mean: meanRater, 'item-mean': itemMeanRater, bias: biasRater } as const;

/** How well values are foretold. */
const rating =
  (dataset: Dataset, rate: RateTasks): Measure =>
  (tasks) =>
    ratingValues(rate, dataset, tasks);

/** How well the scenario's items are ranked. */
const ranking =
  (dataset: Dataset, scorer: Scorer, context: StageContext): Measure =>
  (tasks, scenario) =>
    rankingValues(scorer, dataset, tasks, itemsOf(dataset, scenario), context);

/**
 * Throws DATA_EMPTY where values are to be foretold and the dataset has none.
 * @param key where `task` is set
 */
export function requireValues(
  { path, interactions: { split, value } }: Dataset,
  task: ColdTask,
  key: string,
): void {
  const given = value.some((one, row) => split[row] === SPLIT.train && !Number.isNaN(one));
  if (task === 'ranking' || given) return;
  throw new RecsysError('DATA_EMPTY', `${path}: no train row has a value, and ${key} is rating`, {
    remedy: `Set ${key} to ranking, or map a \`value\` column in \`recsys prepare\`.`,
  });
}

/** Those that foretell values: means and biases, and every model, adapted and not. */
export function ratingContenders(dataset: Dataset, models: readonly OpenedModel[]): ColdContender[] {
  return [
    ...Object.entries(RATERS).map(
      ([name, rater]): ColdContender => ({
        ...{ name, kind: 'baseline' },
        measure: rating(dataset, ratedSimply(rater(dataset))),
      }),
    ),
    ...models.flatMap(adaptedAndNot),
  ];
}

/** Those that rank the scenario's items: fitted baselines, and every model, adapted and not. */
export async function rankingContenders(
  dataset: Dataset,
  models: readonly OpenedModel[],
  config: EvaluateConfig,
  context: StageContext,
): Promise<ColdContender[]> {
  const contenders: ColdContender[] = [];
  for (const name of config.baselines) {
    const fitted = await baselines[name].fit(dataset, {
      candidates: candidateMask(dataset, 'train'),
      filterSeen: true,
      seed: config.seed,
      easeItems: config.easeItems,
      context,
    });
    if ('skipped' in fitted) context.log('warn', `${name} is left out: ${fitted.skipped}`);
    else contenders.push({ name, kind: 'baseline', measure: ranking(dataset, fitted.scorer, context) });
  }
  return [...contenders, ...models.flatMap(adaptedAndNot)];
}

function adaptedAndNot({ name, events, measure }: OpenedModel): ColdContender[] {
  if (!events) return [{ name, kind: 'unadapted', measure }];
  return [
    { name, kind: 'model', measure },
    { name: `${name}, no event given`, kind: 'unadapted', measure },
  ];
}

/** Mask of the items that a scenario is about. */
function itemsOf(dataset: Dataset, { items }: Scenario): Uint8Array {
  const existing = candidateMask(dataset, 'train');
  return items === 'existing' ? existing : existing.map((flag, item) => Number(item > 0 && flag === 0));
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
