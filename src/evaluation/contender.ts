import type { Scorer, StageContext } from '../types.js';
import { type EvaluateOptions, type EvaluationResult, evaluateScorer } from './evaluate.js';
import { auc, labelMetrics, ratingMetrics } from './labels.js';
import { requestMilliseconds } from './latency.js';
import { type HeldOutPairs, scorePairs } from './pairs.js';
import { type BehaviourTask, measureBehaviours } from './per-behaviour.js';
import type { ResultRow } from './results.js';
import { bootstrap } from './significance.js';
import type { Task } from './task.js';

/** Something to be put beside others in a table. */
export interface Contender {
  readonly name: string;
  readonly kind: ResultRow['kind'];
  readonly scorer: Scorer;
  readonly parameters: number;
  /** Those that are no embeddings, of a model. */
  readonly weights?: number;
  readonly bytes: number;
  readonly path?: string;
  readonly settings?: Readonly<Record<string, number | string>>;
  readonly note?: string;
  readonly unknownItems?: number;
}

export interface MeasureOptions {
  readonly resamples: number;
  /** Single requests timed; 0 = none. */
  readonly latencyQueries: number;
  /** Also label metrics: the pairs, and the least value of label 1. */
  readonly labels?: { readonly pairs: HeldOutPairs; readonly minimumValue: number };
  /** Also the metrics of these tasks. */
  readonly behaviours?: readonly BehaviourTask[];
  /** Also rating metrics on these pairs. */
  readonly ratings?: HeldOutPairs;
  readonly context: StageContext;
}

export interface Measured {
  readonly row: ResultRow;
  /** Values by metric, in the task's order of queries. */
  readonly perUser: ReadonlyMap<string, Float32Array>;
}

/** A scorer's ranking metrics on the task. */
export function ask(scorer: Scorer, task: Task, context: StageContext): Promise<EvaluationResult> {
  return evaluateScorer(scorer, task.evaluation, howAsked(task, context));
}

function howAsked(
  { settings, candidates, dataset, evaluation }: Task,
  context: StageContext,
): EvaluateOptions {
  return {
    ks: settings.ks,
    candidates,
    filterSeen: settings.filterSeen,
    ...(settings.sampledNegatives === undefined ? {} : { sampledNegatives: settings.sampledNegatives }),
    seed: settings.seed,
    ...(evaluation.shown ? {} : { popularity: dataset.catalogue.itemCounts }),
    context,
  };
}

/** Evaluates one contender on the task: metrics with intervals, and milliseconds per request. */
export async function measure(contender: Contender, task: Task, options: MeasureOptions): Promise<Measured> {
  const { scorer, kind } = contender;
  const { settings, evaluation, candidates } = task;
  const named: Scorer = {
    name: contender.name,
    items: scorer.items,
    score: (queries) => scorer.score(queries),
  };
  const how = howAsked(task, options.context);
  const result = await evaluateScorer(named, evaluation, how);
  const perBehaviour =
    options.behaviours && (await measureBehaviours(named, options.behaviours, how, options.resamples));
  const metrics = { ...result.metrics };
  if (options.labels) {
    const { pairs, minimumValue } = options.labels;
    const scores = await scorePairs(named, evaluation, pairs);
    const labels = Uint8Array.from(pairs.value, (value) => (value >= minimumValue ? 1 : 0));
    // A baseline's scores order items, but are no log-odds.
    if (kind !== 'model') put(metrics, { auc: auc(scores, labels) });
    else {
      const { auc: area, logloss, accuracy } = labelMetrics(scores, labels);
      put(metrics, { auc: area, logloss, accuracy });
    }
  }
  if (options.ratings && kind === 'model') {
    const { rmse, mae } = ratingMetrics(
      await scorePairs(named, evaluation, options.ratings),
      options.ratings.value,
    );
    put(metrics, { rmse, mae });
  }
  const intervals = bootstrap(result.perUser, { resamples: options.resamples, seed: settings.seed });
  const milliseconds =
    options.latencyQueries > 0 && kind !== 'external'
      ? await requestMilliseconds(named, evaluation, candidates, options.latencyQueries)
      : undefined;
  const { name, parameters, weights, bytes, path, note, unknownItems } = contender;
  return {
    row: {
      name,
      kind,
      ...(path === undefined ? {} : { path }),
      metrics,
      intervals: Object.fromEntries(intervals),
      ...(perBehaviour ? { perBehaviour } : {}),
      parameters,
      ...(weights === undefined ? {} : { weights }),
      bytes,
      ...(milliseconds === undefined ? {} : { milliseconds }),
      ...(contender.settings === undefined ? {} : { settings: { ...contender.settings } }),
      ...(note === undefined ? {} : { note }),
      ...(unknownItems ? { unknownItems } : {}),
      unreachable: result.unreachable,
    },
    perUser: result.perUser,
  };
}

/** Adds what is defined: an area over one class, say, is not. */
function put(metrics: Record<string, number>, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) if (Number.isFinite(value)) metrics[name] = value;
}
