import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../compute/dropout.js';
import type { ParameterStore } from '../../compute/parameters.js';
import type { Dataset } from '../../data/dataset.js';
import { queryOf, type Task } from '../../data/tasks.js';
import { evaluateScorer } from '../../evaluation/evaluate.js';
import { gradedNdcg } from '../../evaluation/graded.js';
import { sequencesOf } from '../../model/inputs.js';
import type { Model } from '../../model/model.js';
import { paramsScorer, queryInputs } from '../../model/scorer.js';
import { atLast } from '../../model/select.js';
import { withWholeTables } from '../validation.js';

/** Tasks judged at once. */
const CHUNK = 64;

type Metrics = Record<string, number>;

/**
 * How well a model, with the parameters as they are, foretells the values of the tasks' query events after their support: mae and rmse
 * over events, ndcg@1 and ndcg@3 over tasks.
 */
export async function ratingValidation(
  model: Model,
  store: ParameterStore,
  dataset: Dataset,
  tasks: readonly Task[],
): Promise<Metrics> {
  const { item, value } = dataset.interactions;
  const sums = { absolute: 0, square: 0, events: 0, 'ndcg@1': 0, 'ndcg@3': 0 };
  const params = store.reader();
  for (let from = 0; from < tasks.length; from += CHUNK) {
    const chunk = tasks.slice(from, from + CHUNK);
    const count = chunk[0]!.query.length;
    const predicted = tf.tidy(() => {
      const inputs = queryInputs(
        chunk.map(({ user, support }) => queryOf(dataset, user, support)),
        model,
      );
      const states = atLast(model.encode(params, sequencesOf(inputs), INFERENCE).states);
      const ids = Int32Array.from(chunk.flatMap(({ query }) => Array.from(query, (r) => item[r]!)));
      return model.logits(params, states, tf.tensor2d(ids, [chunk.length, count], 'int32'), INFERENCE);
    });
    const values = (await predicted.data()) as Float32Array;
    predicted.dispose();
    chunk.forEach(({ query }, n) => {
      const own = values.subarray(n * count, (n + 1) * count);
      const truth = Array.from(query, (r) => value[r]!);
      truth.forEach((y, q) => {
        sums.absolute += Math.abs(own[q]! - y);
        sums.square += (own[q]! - y) ** 2;
        sums.events++;
      });
      sums['ndcg@1'] += gradedNdcg(own, truth, 1);
      sums['ndcg@3'] += gradedNdcg(own, truth, 3);
    });
  }
  return {
    mae: sums.absolute / sums.events,
    rmse: Math.sqrt(sums.square / sums.events),
    'ndcg@1': sums['ndcg@1'] / tasks.length,
    'ndcg@3': sums['ndcg@3'] / tasks.length,
  };
}

/** How well a model finds the tasks' query events among all items after their support: ranking metrics at 10. */
export async function rankingOfTasks(
  model: Model,
  store: ParameterStore,
  dataset: Dataset,
  tasks: readonly Task[],
): Promise<Metrics> {
  const { item } = dataset.interactions;
  const distinct = (rows: Int32Array): Int32Array =>
    Int32Array.from(new Set(Array.from(rows, (r) => item[r]!))).sort();
  const targets = tasks.map(({ query }) => distinct(query));
  const evaluation = {
    queries: tasks.map(({ user, support }) => queryOf(dataset, user, support)),
    targets,
    seen: tasks.map(({ support }, n) => distinct(support).filter((i) => !targets[n]!.includes(i))),
  };
  const items = dataset.catalogue.items.length - 1;
  return withWholeTables(store, async (params) => {
    const scorer = paramsScorer(model, params, items, model.name);
    return (await evaluateScorer(scorer, evaluation, { ks: [10] })).metrics;
  });
}
