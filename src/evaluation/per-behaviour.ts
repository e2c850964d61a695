import type { Dataset } from '../data/dataset.js';
import type { Scorer } from '../types.js';
import { type EvaluateOptions, evaluateScorer } from './evaluate.js';
import { type Evaluation, evaluationQueries, hasTargets, unseenTargets } from './queries.js';
import type { BehaviourResult } from './results.js';
import { bootstrap } from './significance.js';
import type { TaskSettings } from './task.js';

/** The question of one behaviour: what comes next by it. */
export interface BehaviourTask {
  readonly behaviour: string;
  readonly evaluation: Evaluation;
}

/**
 * A task for each target behaviour that has held-out rows: one query for every user with some, whose history ends before the first of
 * them, as in an evaluation of that behaviour alone.
 */
export function behaviourTasks(dataset: Dataset, settings: TaskSettings): BehaviourTask[] {
  const { part, targetBehaviours, maxUsers, seed, asked } = settings;
  return (targetBehaviours ?? dataset.catalogue.behaviours)
    .filter((behaviour) => hasTargets(dataset, part, [behaviour]))
    .map((behaviour) => {
      const all = evaluationQueries(dataset, part, {
        targetBehaviours: [behaviour],
        ...(maxUsers === undefined ? {} : { maxUsers }),
        ...(asked ? { asked } : {}),
        seed,
      });
      return { behaviour, evaluation: settings.unseenTargets ? unseenTargets(all) : all };
    });
}

/** A scorer's metrics, with intervals, at each task by its behaviour. */
export async function measureBehaviours(
  scorer: Scorer,
  tasks: readonly BehaviourTask[],
  options: EvaluateOptions,
  resamples: number,
): Promise<Record<string, BehaviourResult>> {
  const found: Record<string, BehaviourResult> = {};
  for (const { behaviour, evaluation } of tasks) {
    const { metrics, perUser } = await evaluateScorer(scorer, evaluation, options);
    const intervals = bootstrap(perUser, { resamples, seed: options.seed ?? 0 });
    found[behaviour] = {
      users: evaluation.queries.length,
      metrics,
      intervals: Object.fromEntries(intervals),
    };
  }
  return found;
}
