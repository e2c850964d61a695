import { recordsSteps } from '../compute/compile.js';
import { hasBfloat16, type Precision } from '../compute/ops/kernel.js';
import { createOptimizer } from '../compute/optimizers/index.js';
import type { ParameterInits, ParameterStore } from '../compute/parameters.js';
import type { Batch, CompiledStep } from '../compute/step.js';
import { type Dataset, SPLIT } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { rankingMetricNames } from '../evaluation/metrics.js';
import type { AdapterConfig } from '../model/adapted.js';
import { LOSSES, type LossName } from '../model/losses/index.js';
import type { Model } from '../model/model.js';
import type { ModelConfig } from '../model/registry.js';
import type { Catalogue, StageContext, TensorMap } from '../types.js';
import { type BatchSource, distinctShapes } from './batches.js';
import { type BatchFeed, feedOf, startFeed } from './feed.js';
import { type FitOptions, type FitResult, fit, type Watch } from './fit.js';
import { labelMetrics } from './label-metrics.js';
import { type NegativeConfig, planNegatives } from './negatives.js';
import { type Labelling, type Pairs, pairBatches } from './pair-batches.js';
import { type BatchPlan, knownItems, makeBatches } from './plan.js';
import { profile } from './profile.js';
import type { Row, Snapshot } from './progress.js';
import type { Replay } from './replay.js';
import { learningRate } from './schedule.js';
import type { LabelConfig, OptimizerConfig, TargetsConfig, ValidationConfig } from './schema.js';
import { columnsOf, type TrainRows, trainRows } from './train-rows.js';
import { rankingValidation } from './validation.js';

/** How a training stage reaches its directory and its caller. */
export interface StageHooks {
  saveSnapshot(snapshot: Snapshot): Promise<void>;
  readonly resumeFrom?: Snapshot | undefined;
  onEpoch(row: Row): void | Promise<void>;
}

/** What every training stage gives back: the model to store. */
export interface TrainedModel {
  readonly config: ModelConfig;
  readonly catalogue: Catalogue;
  readonly tensors: TensorMap;
  /** Where added weights were trained: these alone. `tensors` are the model's own with these added. */
  readonly adapter?: { readonly config: AdapterConfig; readonly tensors: TensorMap };
  readonly fit: FitResult;
}

export interface TaskConfig extends NegativeConfig {
  readonly task: 'next-item' | 'label';
  readonly loss: LossName;
  readonly label: LabelConfig;
  readonly targets: TargetsConfig;
  readonly masking: number;
  readonly batchSize: number;
  readonly seed: number;
}

/** Train batches of a task in the form the model and the loss need, and their plan; `given` rows, with a teacher's answers to them. */
export function taskBatches(
  model: Model,
  dataset: Dataset,
  config: TaskConfig,
  given?: Pick<BatchPlan, 'rows' | 'answers' | 'tasks'>,
  replay?: Replay,
): { plan: BatchPlan; batches: BatchSource } {
  const loss = LOSSES[config.loss];
  const need = (loss.tasks as Partial<Record<string, readonly never[]>>)[config.task];
  if (!need) {
    const able = Object.entries(LOSSES)
      .filter(([, l]) => config.task in l.tasks)
      .map(([name]) => name);
    throw new RecsysError(
      'CONFIG_INVALID',
      `loss: "${config.loss}" cannot train the task "${config.task}" (${able.join(', ')} can)`,
    );
  }
  const rows = given?.rows ?? trainRows(dataset, config.targets, columnsOf(model));
  const labelling = config.task === 'label' && !given?.tasks ? labellingOf(config, rows) : undefined;
  const plan: BatchPlan = {
    kind: given?.tasks ? 'tasks' : kindOf(model, config),
    rows,
    length: model.length,
    batchSize: config.batchSize,
    seed: config.seed,
    fixedShapes: recordsSteps(),
    negatives: planNegatives(config, need, dataset.catalogue.items.length - 1),
    masking: config.masking,
    ...(labelling ? { labelling } : {}),
    answers: given?.answers,
    tasks: given?.tasks,
    replay: replay && {
      rows: trainRows(replay.dataset, replay.targets, columnsOf(model)),
      share: replay.share,
    },
  };
  if (plan.replay && labelling) labellingOf(config, plan.replay.rows);
  return { plan, batches: makeBatches(plan) };
}

function kindOf(model: Model, { task }: TaskConfig): BatchPlan['kind'] {
  if (task !== 'next-item') return 'pairs';
  if (model.masksItems) return 'hidden-items';
  return model.positional ? 'next-items' : 'pairs';
}

export function labellingOf(config: TaskConfig, rows: TrainRows): Labelling {
  const regression = config.loss === 'mse';
  const { minimumValue, negatives } = config.label;
  if ((regression || minimumValue !== undefined) && rows.value.some(Number.isNaN)) {
    throw new RecsysError(
      'DATA_EMPTY',
      'the label needs a value (rating) for every train row, and some rows have none',
      {
        remedy:
          'Map a `value` column in `recsys prepare`, or use `label.negatives` instead of `label.minimumValue`.',
      },
    );
  }
  if (!regression && minimumValue === undefined && negatives === 0) {
    throw new RecsysError(
      'CONFIG_INVALID',
      'label: give `minimumValue`, or `negatives` of at least 1: else every label is 1',
    );
  }
  if (regression && negatives > 0)
    throw new RecsysError('CONFIG_INVALID', 'label.negatives: mse has no label for drawn items');
  return { minimumValue, regression, negatives };
}

/** Label batches of the validation rows: each with the train history of its user. */
export function validationLabelBatches(
  model: Model,
  dataset: Dataset,
  rows: TrainRows,
  config: TaskConfig,
): Batch[] {
  const labelling = labellingOf(config, rows);
  const { interactions } = dataset;
  const chosen: number[] = [];
  for (let r = 0; r < interactions.length; r++)
    if (interactions.split[r] === SPLIT.validation) chosen.push(r);
  const pairs: Pairs = {
    user: Int32Array.from(chosen, (r) => interactions.user[r]!),
    start: Int32Array.from(chosen, (r) => rows.offsets[interactions.user[r]!]!),
    end: Int32Array.from(chosen, (r) => rows.offsets[interactions.user[r]! + 1]!),
    item: Int32Array.from(chosen, (r) => interactions.item[r]!),
    behaviour: Int32Array.from(chosen, (r) => interactions.behaviour[r]! + 1),
    value: Float32Array.from(chosen, (r) => interactions.value[r]!),
    weight: new Float32Array(chosen.length).fill(1),
  };
  const told = rows.unasked === undefined ? rows : { ...rows, unasked: 0 };
  const source = pairBatches(told, pairs, {
    length: model.length,
    batchSize: 1024,
    seed: config.seed + 1,
    negatives: { need: [], count: 0, items: dataset.catalogue.items.length - 1 },
    labelling,
    known: knownItems(rows),
    fixedShapes: false,
  });
  return Array.from({ length: source.batchesPerEpoch }, (_, i) => source.batch(0, i));
}

/** Train accuracy and loss are measured without dropout on this many of the first epoch's batches. */
const TRAIN_METRIC_BATCHES = 40;

/** How a config's steps update, for `compileStep`. */
export function updateOptions(config: UpdateConfig) {
  const { optimizer, accumulate, l2, clipNorm, ema, precision, seed } = config;
  return { optimizer: createOptimizer(optimizer), accumulate, l2, clipNorm, ema, precision, seed };
}

export interface UpdateConfig {
  readonly optimizer: OptimizerConfig;
  readonly accumulate: number;
  readonly l2: number;
  readonly clipNorm: number;
  readonly ema: number;
  readonly precision: Precision;
  readonly seed: number;
}

export interface RunConfig extends TaskConfig, UpdateConfig {
  readonly epochs: number;
  readonly validation: ValidationConfig;
  readonly snapshotSteps: number;
  readonly profile: boolean;
}

/** What a training is run with. */
interface FitParts {
  readonly model: Model;
  readonly store: ParameterStore;
  readonly step: CompiledStep;
  readonly dataset: Dataset;
  readonly batches: BatchSource;
  readonly plan: BatchPlan;
  /** How the model is judged; default: on the dataset's validation rows; null: there is nothing to judge it on. */
  readonly validation?: Validation | null;
  /** Where the step has groups: their rates, and the epochs until all of them learn. */
  readonly layers?: Pick<FitOptions, 'groupRates'> & { readonly grace: number };
}

interface Validation {
  readonly names: readonly string[];
  metrics(): Promise<Record<string, number>>;
}

/** Runs the loop for a built step; the same for every training stage. */
export async function runFit(
  name: string,
  parts: FitParts,
  config: RunConfig,
  hooks: StageHooks,
  context: StageContext,
): Promise<FitResult> {
  const { step, batches, plan } = parts;
  // The worker starts while the step is recorded. A step that is run op by op takes far longer than its batch.
  const feed = recordsSteps() ? startFeed(plan, batches) : feedOf(batches);
  try {
    const result = await fitFrom(feed, name, parts, config, hooks, context);
    if (config.profile) await profile(step, batches, context);
    return result;
  } finally {
    await feed.close();
  }
}

async function fitFrom(
  feed: BatchFeed,
  name: string,
  parts: FitParts,
  config: RunConfig,
  hooks: StageHooks,
  context: StageContext,
): Promise<FitResult> {
  const { store, step, batches } = parts;
  if (config.precision === 'bfloat16' && !hasBfloat16()) {
    const needs = 'it needs the native backend and a processor with AMX or AVX-512 BF16';
    context.log('warn', `precision: float32 is used, bfloat16 is not to be had here (${needs})`);
  }
  const recording = performance.now();
  const programs = step.prepare(recordsSteps() ? distinctShapes(batches) : []);
  if (programs > 0) {
    const seconds = Number(((performance.now() - recording) / 1000).toFixed(1));
    context.log('info', `recorded the step for ${programs} batch shapes`, { seconds });
  }
  const validation =
    parts.validation === undefined ? onValidationRows(parts, config) : (parts.validation ?? undefined);
  if (!validation)
    context.log('warn', 'there is nothing to validate on: every epoch is run, and the last one is kept');
  return fit(
    {
      name,
      step,
      store,
      batches: feed,
      epochs: config.epochs,
      accumulate: config.accumulate,
      learningRate: (n, total) => learningRate(config.optimizer, n, total),
      ...(parts.layers?.groupRates ? { groupRates: parts.layers.groupRates } : {}),
      validate: async () => (await validation?.metrics()) ?? {},
      watch: { ...watched(config, validation), grace: parts.layers?.grace ?? 0 },
      snapshots: { everySteps: config.snapshotSteps, save: hooks.saveSnapshot },
      resumeFrom: hooks.resumeFrom,
      onEpoch: hooks.onEpoch,
    },
    context,
  );
}

/** Ranking metrics, and for the label task those of single pairs, on the dataset's validation rows; undefined where none is a target. */
function onValidationRows(
  { model, store, dataset, batches, plan }: FitParts,
  config: RunConfig,
): Validation | undefined {
  const ranking = rankingValidation(model, store, dataset, config.validation, config.targets, config.seed);
  const labelled = config.task === 'label' ? validationLabelBatches(model, dataset, plan.rows, config) : [];
  if (!ranking && labelled.length === 0) return undefined;
  const regression = config.loss === 'mse';
  const names = [...(ranking?.names ?? rankingMetricNames([10]))];
  if (config.task === 'label')
    names.push(
      ...['loss', regression ? 'rmse' : 'accuracy'].flatMap((name) => [
        `train_${name}`,
        `validation_${name}`,
      ]),
    );
  return {
    names,
    async metrics() {
      const metrics: Record<string, number> = { ...(await ranking?.metrics()) };
      if (config.task !== 'label') return metrics;
      const sample = Math.min(batches.batchesPerEpoch, TRAIN_METRIC_BATCHES);
      const trained = Array.from({ length: sample }, (_, index) => batches.batch(0, index));
      Object.assign(metrics, prefixed('train', await labelMetrics(model, store, trained, regression)));
      if (labelled.length > 0)
        Object.assign(
          metrics,
          prefixed('validation', await labelMetrics(model, store, labelled, regression)),
        );
      return metrics;
    },
  };
}

/**
 * What early stopping follows. Without validation rows the last epoch is kept: the train loss never stops a run early.
 * Throws CONFIG_INVALID, before anything is trained, for a metric that is not computed.
 */
function watched(config: RunConfig, validation: Validation | undefined): Watch {
  if (!validation) return { metric: 'epoch', every: 1, patience: 0 };
  const { metric, every, patience } = config.validation;
  const known = [...validation.names, 'loss'];
  if (!known.includes(metric)) {
    throw new RecsysError(
      'CONFIG_INVALID',
      `validation.metric: "${metric}" is not computed for this task (there are ${known.join(', ')})`,
    );
  }
  return { metric, every, patience };
}

function prefixed(prefix: string, metrics: object): Record<string, number> {
  const entries = Object.entries(metrics).filter((e): e is [string, number] => e[1] !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [`${prefix}_${name}`, value]));
}

/** Tables may stay sparse where the loss reads only some rows of the catalogue. */
export function keepsSparse(inits: ParameterInits, model: Model, readsCatalogue: boolean): boolean {
  const whole = readsCatalogue || model.readsCatalogue === true;
  return !whole && [...inits.values()].some((i) => i.table);
}
