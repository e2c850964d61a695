import type { Dataset } from '../../data/dataset.js';
import { queryOf, type Task } from '../../data/tasks.js';
import type { Scorer, StageContext } from '../../types.js';
import { evaluateScorer } from '../evaluate.js';
import type { Evaluation } from '../queries.js';
import type { Candidates } from '../rank.js';

const KS = [1, 3, 5, 10];

/** Tasks as queries: the support is the history, the query's items are the targets, and what else may be given is not ranked. */
export function taskEvaluation(dataset: Dataset, tasks: readonly Task[]): Evaluation {
  const { item } = dataset.interactions;
  const distinct = (rows: Int32Array): Int32Array =>
    Int32Array.from(new Set(Array.from(rows, (r) => item[r]!))).sort();
  const targets = tasks.map(({ query }) => distinct(query));
  return {
    queries: tasks.map(({ user, support }) => queryOf(dataset, user, support)),
    targets,
    seen: tasks.map(({ known }, n) => {
      const relevant = new Set(targets[n]!);
      return distinct(known).filter((i) => !relevant.has(i));
    }),
  };
}

/** How well each task's query items are found among the candidates: ranking metrics at 1, 3, 5 and 10, one value a task. */
export async function rankingValues(
  scorer: Scorer,
  dataset: Dataset,
  tasks: readonly Task[],
  candidates: Candidates,
  context?: Pick<StageContext, 'progress' | 'signal'>,
): Promise<ReadonlyMap<string, Float32Array>> {
  const options = { ks: KS, candidates, ...(context ? { context } : {}) };
  return (await evaluateScorer(scorer, taskEvaluation(dataset, tasks), options)).perUser;
}
