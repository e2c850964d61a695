import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../compute/dropout.js';
import type { ParameterStore, Params } from '../../compute/parameters.js';
import type { Dataset } from '../../data/dataset.js';
import { queryOf, supported, type Task } from '../../data/tasks.js';
import { taskEvaluation } from '../../evaluation/cold/ranking.js';
import { type RateTasks, ratingValues } from '../../evaluation/cold/rating.js';
import { evaluateScorer } from '../../evaluation/evaluate.js';
import { meanOf } from '../../evaluation/significance.js';
import { sequencesOf } from '../../model/inputs.js';
import type { Model } from '../../model/model.js';
import { paramsScorer, queryInputs } from '../../model/scorer.js';
import { newestStates } from '../../model/select.js';
import type { Query } from '../../types.js';
import { withWholeTables } from '../validation.js';

type Metrics = Record<string, number>;

/**
 * How well a model, with the parameters as they are, foretells the values of the tasks' query events after their support: means over
 * tasks, which all ask about as many events.
 */
export async function ratingValidation(
  model: Model,
  store: ParameterStore,
  dataset: Dataset,
  tasks: readonly Task[],
): Promise<Metrics> {
  const params = store.reader();
  const rate: RateTasks = async (queries, items, count) => {
    const logits = tf.tidy(() => {
      const states = newestStates(model, params, sequencesOf(queryInputs(queries, model)));
      return model.logits(params, states, tf.tensor2d(items, [queries.length, count], 'int32'), INFERENCE);
    });
    const values = (await logits.data()) as Float32Array;
    logits.dispose();
    return values;
  };
  const columns = await ratingValues(rate, dataset, tasks);
  const average = (name: string): number => {
    const column = columns.get(name);
    return column ? meanOf(column) : Number.NaN;
  };
  return {
    mae: average('mae'),
    rmse: Math.sqrt(average('mse')),
    'ndcg@1': average('ndcg@1'),
    'ndcg@3': average('ndcg@3'),
    ...(await divergedShare(
      model,
      params,
      tasks.map(({ user, support }) => queryOf(dataset, user, support)),
    )),
  };
}

/** How well a model finds the tasks' query events among all items after their support: ranking metrics at 10. */
export async function rankingOfTasks(
  model: Model,
  store: ParameterStore,
  dataset: Dataset,
  tasks: readonly Task[],
): Promise<Metrics> {
  const evaluation = taskEvaluation(dataset, tasks);
  const items = dataset.catalogue.items.length - 1;
  return withWholeTables(store, async (params) => {
    const scorer = paramsScorer(model, params, items, model.name);
    const { metrics } = await evaluateScorer(scorer, evaluation, { ks: [10] });
    return { ...metrics, ...(await divergedShare(model, params, evaluation.queries)) };
  });
}

/** Share of histories whose inner loop diverged, of a model that has one: they are answered as if nothing had been given. */
async function divergedShare(
  model: Model,
  params: Params,
  queries: readonly Query[],
): Promise<{ diverged?: number }> {
  if (!model.diverged) return {};
  let diverged = 0;
  for (let from = 0; from < queries.length; from += 256) {
    const chunk = queries.slice(from, from + 256);
    const count = tf.tidy(() =>
      tf.sum(model.diverged!(params, sequencesOf(queryInputs(chunk, model)), INFERENCE)),
    );
    diverged += (await count.data())[0]!;
    count.dispose();
  }
  return { diverged: diverged / queries.length };
}

type Judge = typeof rankingOfTasks;

/**
 * Each metric's mean over numbers of given events; where there are several, also what it is after each, as `<metric>_after_<number>`.
 */
export function afterEach(judge: Judge, supports: readonly number[] | undefined): Judge {
  if (supports === undefined) return judge;
  return async (model, store, dataset, tasks) => {
    const means: Metrics = {};
    const each: Metrics = {};
    for (const support of supports) {
      const given = tasks.map((task) => supported(task, support));
      for (const [name, value] of Object.entries(await judge(model, store, dataset, given))) {
        means[name] = (means[name] ?? 0) + value / supports.length;
        each[`${name}_after_${support}`] = value;
      }
    }
    return supports.length === 1 ? means : { ...means, ...each };
  };
}
