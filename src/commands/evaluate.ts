import { selectBackend } from '../compute/select.js';
import type { Dataset } from '../data/dataset.js';
import { readDataset } from '../data/read.js';
import { readImpressions } from '../data/read-impressions.js';
import { RecsysError } from '../errors.js';
import { baselines } from '../evaluation/baselines/registry.js';
import { type Contender, type Measured, type MeasureOptions, measure } from '../evaluation/contender.js';
import {
  alignedRows,
  readEvaluation,
  type StoredEvaluation,
  writeEvaluation,
} from '../evaluation/directory.js';
import { refuseTrainedOnTest } from '../evaluation/guard.js';
import { ratingMetrics } from '../evaluation/labels.js';
import { mappedScorer, sameVocabulary } from '../evaluation/mapped.js';
import { heldOutPairs, meanTrainValue } from '../evaluation/pairs.js';
import { behaviourTasks } from '../evaluation/per-behaviour.js';
import { comparable } from '../evaluation/protocol.js';
import type { Part } from '../evaluation/queries.js';
import { EVALUATION_FORMAT, type Results } from '../evaluation/results.js';
import { checkReference, retentionOf } from '../evaluation/retention.js';
import { type EvaluateConfig, evaluateSchema } from '../evaluation/schema.js';
import {
  againstBestBaseline,
  againstControls,
  againstEarlier,
  checkControls,
  leadingMetric,
} from '../evaluation/summary.js';
import { evaluationTask, type Task } from '../evaluation/task.js';
import { withOutputDirectory } from '../storage/atomic.js';
import type { Checkpoint } from '../storage/checkpoint.js';
import type { StageContext } from '../types.js';
import { evaluationReport, evaluationText } from './evaluation-view.js';
import { isRankings, type NamedCheckpoint, openModels } from './open-models.js';
import { readRankings } from './rankings.js';
import { defineStage } from './stage.js';

export default defineStage({
  name: 'evaluate',
  describe: 'compare models with simple baselines on held-out rows, with intervals',
  schema: evaluateSchema,
  flags: {
    data: { key: 'data', describe: 'prepared dataset directory', type: 'string', stdin: true },
    model: {
      key: 'models',
      describe: 'checkpoint to evaluate (may be repeated)',
      type: 'strings',
      stdin: true,
    },
    against: {
      key: 'against',
      describe: 'another evaluation’s directory: paired differences with it',
      type: 'string',
    },
    cold: {
      key: 'cold.enabled',
      describe: 'evaluate cold start: new users and items, of whom only some events are given',
      type: 'boolean',
    },
    impressions: {
      key: 'impressions',
      describe: 'rank what was shown together, impression by impression, in place of all items',
      type: 'boolean',
    },
    part: { key: 'part', describe: 'held-out rows to evaluate on: test or validation', type: 'string' },
  },
  defaultOut: 'evaluation',
  async run(run) {
    const { config, flags } = run;
    const started = performance.now();
    if (config.cold?.enabled) {
      if (config.attack)
        throw new RecsysError('CONFIG_INVALID', 'attack: cold start is not measured under attack', {
          remedy: 'Leave out `attack`, or `cold`.',
        });
      const { evaluateColdStart } = await import('./evaluate-cold.js');
      return evaluateColdStart(run, config.cold);
    }
    const results = await withOutputDirectory(
      flags.out!,
      { force: flags.force, resume: false },
      async (partial) => {
        const { content, task } = await compare(config, run, started);
        await writeEvaluation(partial, content);
        const { writeReport } = await import('../report/report.js');
        await writeReport(partial, evaluationReport(content.results, task.protocol));
        return content.results;
      },
    );
    return {
      path: flags.out!,
      metrics: flatMetrics(results),
      seconds: results.seconds,
      rows: results.rows,
      skipped: results.skipped,
      differences: results.differences,
      ...(results.retention ? { retention: results.retention } : {}),
      protocol: results.protocol,
      text: `${evaluationText(results)}\n\n${flags.out!}`,
    };
  },
});

/** Everything that can be refused is refused before the first score is computed. */
async function compare(
  config: EvaluateConfig,
  context: StageContext,
  started: number,
): Promise<{ content: Omit<StoredEvaluation, 'path'>; task: Task }> {
  const checkpoints = await openModels(config);
  const dataset = await readDataset(config.data);
  for (const { checkpoint } of checkpoints) refuseTrainedOnTest(checkpoint, dataset, config.part);
  if (config.attack && checkpoints.length === 0)
    throw new RecsysError('CONFIG_INVALID', 'attack: there is no model that could be attacked');
  const lists: Contender[] = [];
  for (const { name, rankings } of config.models.filter(isRankings))
    lists.push(await readRankings(name, rankings, dataset, context));
  checkControls(config.controls, [
    ...config.baselines,
    ...checkpoints.map((one) => one.name),
    ...lists.map((one) => one.name),
  ]);
  const impressions = async (part: Part) => (config.impressions ? readImpressions(dataset, part) : undefined);
  const shown = await impressions(config.part);
  const task = evaluationTask(dataset, config, shown);
  checkReference(
    config.reference,
    checkpoints.map((one) => one.name),
  );
  const users =
    task.evaluation.ids ?? task.evaluation.queries.map((query) => dataset.catalogue.users[query.user]!);
  const earlier = config.against === undefined ? undefined : await readEvaluation(config.against);
  if (earlier) comparable(task.protocol, earlier.results.protocol);

  const { options, results: pairResults } = measureOptions(config, task, context);
  const measured: Measured[] = [];
  const skipped: { name: string; reason: string }[] = [];
  const validation = config.part === 'validation' ? shown : await impressions('validation');
  for (const name of config.baselines) {
    const fitted = await baselines[name].fit(dataset, {
      candidates: task.candidates,
      filterSeen: config.filterSeen,
      targetBehaviours: config.targetBehaviours,
      impressions: validation,
      seed: config.seed,
      easeItems: config.easeItems,
      context,
    });
    if ('skipped' in fitted) {
      skipped.push({ name, reason: fitted.skipped });
      context.log('warn', `${name} is left out: ${fitted.skipped}`);
    } else measured.push(await measure({ name, kind: 'baseline', ...fitted }, task, options));
  }
  for (const model of checkpoints) measured.push(await measureModel(model, task, options, config));
  for (const contender of lists) measured.push(await measure(contender, task, options));

  const bootstrap = { resamples: config.bootstrap.resamples, seed: config.seed };
  const differences = [
    ...againstBestBaseline(measured, leadingMetric('ndcg', task.protocol), bootstrap),
    ...againstControls(measured, config.controls, bootstrap),
    ...(earlier ? againstEarlier(measured, alignedRows(earlier, users), bootstrap) : []),
  ];
  const leading = leadingMetric('ndcg', task.protocol);
  const retention = retentionOf(measured, config.reference, leading, bootstrap);
  const results: Results = {
    kind: 'evaluation',
    formatVersion: EVALUATION_FORMAT,
    dataset: { path: dataset.path, name: dataset.manifest.name },
    protocol: task.protocol,
    rows: measured.map(({ row }) => row),
    skipped,
    differences,
    ...(config.against === undefined ? {} : { against: config.against }),
    ...(retention.length > 0 ? { retention } : {}),
    ...(config.published.length > 0 ? { published: config.published } : {}),
    ...pairResults,
    ...repeats(task),
    ...(task.impressions ? { impressions: task.impressions } : {}),
    seconds: (performance.now() - started) / 1000,
  };
  return {
    task,
    content: { results, users, perUser: new Map(measured.map(({ row, perUser }) => [row.name, perUser])) },
  };
}

/** Share of the targets that the seen filter makes too easy, where there are any. */
function repeats({ settings, evaluation, repeatedTargets }: Task): Pick<Results, 'repeatedTargets'> {
  if (!settings.filterSeen || evaluation.shown || repeatedTargets === 0) return {};
  return {
    repeatedTargets: repeatedTargets / evaluation.targets.reduce((sum, items) => sum + items.length, 0),
  };
}

async function measureModel(
  { name, checkpoint }: NamedCheckpoint,
  task: Task,
  options: MeasureOptions,
  config: EvaluateConfig,
): Promise<Measured> {
  await selectBackend(config.backend);
  // Only now: importing tfjs takes a while, and a table of baselines does without.
  const { restoreModel } = await import('../model/restore.js');
  const { modelScorer } = await import('../model/scorer.js');
  const { weightsBesideEmbeddings } = await import('../model/weights.js');
  const restored = restoreModel(checkpoint);
  const inner = modelScorer(restored, name);
  try {
    const { parameters, bytes } = checkpoint.manifest.model;
    const told = restored.model.readsAsked && config.asked === 'target' ? TOLD : undefined;
    const contender: Contender = {
      name,
      kind: 'model',
      path: checkpoint.path,
      parameters,
      weights: weightsBesideEmbeddings(restored.inits),
      bytes,
      ...noted(fitVocabulary(inner, checkpoint, task.dataset, options.context), told),
    };
    const measured = await measure(contender, task, options);
    if (!config.attack) return measured;
    const { attacked } = await import('../evaluation/attack.js');
    const attacks = await attacked(restored, name, task, { ...options, ...config.attack });
    if (!attacks) options.context.log('warn', `${name} is not attacked: its items have no vectors`);
    return { ...measured, row: { ...measured.row, ...(attacks ? { attacks } : {}) } };
  } finally {
    inner.dispose();
  }
}

/** What a reader must know of a model that is told more than the others. */
const TOLD = 'told the behaviour of the targets';

function noted<T extends { readonly note?: string }>(row: T, remark: string | undefined): T {
  if (remark === undefined) return row;
  return { ...row, note: row.note === undefined ? remark : `${row.note}; ${remark}` };
}

function fitVocabulary(
  scorer: Contender['scorer'],
  checkpoint: Checkpoint,
  dataset: Dataset,
  context: StageContext,
): Pick<Contender, 'scorer' | 'unknownItems' | 'note'> {
  if (sameVocabulary(checkpoint.catalogue, dataset.catalogue)) return { scorer };
  const mapped = mappedScorer(scorer, checkpoint.catalogue, dataset.catalogue);
  const { unknownItems, unknownUsers, unknownBehaviours } = mapped;
  const parts = [
    ...(unknownItems > 0 ? [`${unknownItems} items`] : []),
    ...(unknownUsers > 0 ? [`${unknownUsers} users`] : []),
    ...(unknownBehaviours.length > 0 ? [`behaviour ${unknownBehaviours.join(', ')}`] : []),
  ];
  if (parts.length === 0) return { scorer: mapped };
  const note = `unknown to the model: ${parts.join(', ')}`;
  context.log('warn', `${scorer.name}: ${note}`);
  return { scorer: mapped, unknownItems, note };
}

/** The pairs of label and rating metrics, where asked for, with what a constant answer reaches on them. */
function measureOptions(
  config: EvaluateConfig,
  task: Task,
  context: StageContext,
): { options: MeasureOptions; results: Pick<Results, 'labels' | 'ratings'> } {
  const { labels, ratings } = config;
  const common = {
    ...{ resamples: config.bootstrap.resamples, latencyQueries: config.latencyQueries, context },
    ...(config.perBehaviour ? { behaviours: behaviourTasks(task.dataset, task.settings) } : {}),
  };
  if (!labels && !ratings) return { options: common, results: {} };
  const pairs = heldOutPairs(task.dataset, task.evaluation, config.part);
  const count = pairs.value.length;
  const positives = labels ? pairs.value.filter((value) => value >= labels.minimumValue).length : 0;
  const mean = ratingMetrics(new Float32Array(count).fill(meanTrainValue(task.dataset)), pairs.value);
  return {
    options: {
      ...common,
      ...(labels ? { labels: { pairs, minimumValue: labels.minimumValue } } : {}),
      ...(ratings ? { ratings: pairs } : {}),
    },
    results: {
      ...(labels ? { labels: { count, majority: Math.max(positives, count - positives) / count } } : {}),
      ...(ratings ? { ratings: { count, rmseOfMean: mean.rmse, maeOfMean: mean.mae } } : {}),
    },
  };
}

/** `row/metric`, and `row/metric/behaviour`, → value, for the printed object: ranking by NDCG and every metric without a k; `rows` has the rest. */
function flatMetrics(results: Results): Record<string, number> {
  return Object.fromEntries(
    results.rows.flatMap(({ name, metrics, perBehaviour = {} }) => [
      ...shown(metrics).map(([metric, value]) => [`${name}/${metric}`, value]),
      ...Object.entries(perBehaviour).flatMap(([behaviour, of]) =>
        shown(of.metrics).map(([metric, value]) => [`${name}/${metric}/${behaviour}`, value]),
      ),
    ]),
  );
}

const shown = (metrics: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(metrics).filter(([metric]) => metric.startsWith('ndcg@') || !metric.includes('@'));
