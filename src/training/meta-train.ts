import { compileStep } from '../compute/compile.js';
import { type ParameterInits, ParameterStore } from '../compute/parameters.js';
import { type Dataset, SPLIT } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { rankingMetricNames } from '../evaluation/metrics.js';
import { meanTrainValue } from '../evaluation/pairs.js';
import { growTensors } from '../model/grow.js';
import { LOSSES } from '../model/losses/index.js';
import { createModel, MODELS, type ModelConfig } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { Random } from '../random.js';
import type { StageContext } from '../types.js';
import { growCatalogue } from './growth.js';
import { holdOut } from './meta/hold-out.js';
import type { MetaTrainConfig } from './meta/schema.js';
import { afterEach, rankingOfTasks, ratingValidation } from './meta/validation.js';
import { labelObjective } from './objective.js';
import {
  keepsSparse,
  runFit,
  type StageHooks,
  type TrainedModel,
  taskBatches,
  updateOptions,
} from './stage.js';
import { tensorsOf } from './supervised.js';
import { columnsOf, trainRows } from './train-rows.js';

const RATING_METRICS = ['mae', 'rmse', 'ndcg@1', 'ndcg@3'];

/** The model's configuration with the mean of the train rows' values as its centre, where it has one and none is given. */
function centred(config: ModelConfig, rating: boolean, dataset: Dataset): ModelConfig {
  const keys: object = MODELS[config.name].schema.shape;
  if (!rating || !('center' in keys) || ('center' in config && config.center !== undefined)) return config;
  return { ...config, center: Number(meanTrainValue(dataset).toPrecision(6)) } as ModelConfig;
}

/** @throws DATA_EMPTY where a train row, of a user who is held out or not, has no value */
function requireEveryValue({ path, interactions: { split, value } }: Dataset): void {
  if (!value.some((one, row) => split[row] === SPLIT.train && Number.isNaN(one))) return;
  throw new RecsysError('DATA_EMPTY', `${path}: loss: mse needs a value (rating) for every train row`, {
    remedy: 'Map a `value` column in `recsys prepare`, or take a ranking loss, such as softmax.',
  });
}

/** @throws DIVERGED where the inner loops of more than `most` of the tasks did */
function refuseDiverged(metrics: Readonly<Record<string, number>>, most: number): void {
  const shares = Object.entries(metrics).filter(([name]) => name.startsWith('diverged'));
  const share = Math.max(0, ...shares.map(([, value]) => value));
  if (share <= most) return;
  throw new RecsysError(
    'DIVERGED',
    `the inner loop diverged for ${(100 * share).toFixed(0)} % of the validation tasks (tasks.diverged allows ${(100 * most).toFixed(0)} %)`,
    { remedy: 'Lower `model.rate`, or take fewer `model.steps`.' },
  );
}

/** Learns to adapt: from tasks, each a user of whom some events are given and others asked about. */
export async function metaTrain(
  config: MetaTrainConfig,
  source: Dataset,
  from: RestoredModel | undefined,
  hooks: StageHooks,
  context: StageContext,
): Promise<TrainedModel> {
  const rating = config.loss === 'mse';
  if (rating) requireEveryValue(source);
  const grown = from ? growCatalogue(from.catalogue, source).dataset : source;
  const held = holdOut(grown, config.holdOut, config.tasks, config.seed);
  const { dataset } = held;
  const modelConfig = from?.config ?? centred(config.model, rating, dataset);
  const model = createModel(modelConfig, dataset.catalogue);
  if (model.diverged && model.readsValues && !dataset.interactions.value.some((one) => !Number.isNaN(one)))
    context.log(
      'warn',
      `${model.name} takes its steps on the values of events, and there is none: with \`model.feedback: events\` it takes them on events alone`,
    );
  const fresh = model.init(Random.of(config.seed, 'init'));
  const inits: ParameterInits = from ? growTensors(fresh, tensorsOf(from.inits), 'meta-train --from') : fresh;
  const loss = LOSSES[config.loss];
  const store = new ParameterStore(inits, model.constants(), {
    sparseTables: keepsSparse(inits, model, loss.readsCatalogue),
  });
  const task = {
    ...config,
    task: rating ? ('label' as const) : ('next-item' as const),
    label: { negatives: 0, minimumValue: undefined },
    targets: {},
    masking: 1,
    validation: {
      ...config.validation,
      metric: config.validation.metric ?? (rating ? 'mae' : 'ndcg@10'),
      users: held.tasks.length,
    },
  };
  const rows = trainRows(dataset, task.targets, columnsOf(model));
  const step = compileStep({
    store,
    ...updateOptions(config),
    loss: labelObjective(model, loss),
  });
  const judge = afterEach(rating ? ratingValidation : rankingOfTasks, config.tasks.support);
  const judged = {
    names: rating
      ? [...RATING_METRICS, ...RATING_METRICS.map((m) => `new_items_${m}`)]
      : rankingMetricNames([10]),
    async metrics() {
      const metrics = await judge(model, store, dataset, held.tasks);
      refuseDiverged(metrics, config.tasks.diverged);
      if (!rating || held.newItems.length === 0) return metrics;
      const more = await judge(model, store, dataset, held.newItems);
      refuseDiverged(more, config.tasks.diverged);
      for (const [name, value] of Object.entries(more)) metrics[`new_items_${name}`] = value;
      return metrics;
    },
  };
  const { users, tasks, newItems } = held;
  context.log('info', 'users as tasks', {
    ...{ training: users.length, validation: tasks.length, onNewItems: newItems.length },
  });
  try {
    const given = { rows, answers: undefined, tasks: { users, ...config.tasks } };
    const validation = held.tasks.length > 0 ? judged : null;
    const parts = { model, store, step, dataset, ...taskBatches(model, dataset, task, given), validation };
    const fit = await runFit('meta-train', parts, task, hooks, context);
    return { config: modelConfig, catalogue: dataset.catalogue, tensors: fit.best, fit };
  } finally {
    step.dispose();
    store.dispose();
  }
}
