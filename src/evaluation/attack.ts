import * as tf from '@tensorflow/tfjs-core';
import { fastGradient, withoutPadding } from '../compute/adversary.js';
import { INFERENCE } from '../compute/dropout.js';
import { gradientsBy } from '../compute/eager-step.js';
import { embeddingLookup, ParameterStore } from '../compute/parameters.js';
import { RecsysError } from '../errors.js';
import { sequencesOf } from '../model/inputs.js';
import { LOSSES } from '../model/losses/index.js';
import type { RestoredModel } from '../model/restore.js';
import { chunkSize, modelScorer, queryInputs } from '../model/scorer.js';
import { newestStates } from '../model/select.js';
import { itemTables } from '../model/weights.js';
import { Random } from '../random.js';
import type { Query, Scorer, StageContext } from '../types.js';
import { ask } from './contender.js';
import { scorerFor, translated } from './mapped.js';
import type { Attack } from './results.js';
import { bootstrap } from './significance.js';
import type { Task } from './task.js';

/** Unit rows by table, [rows × width]: where an item's vector is moved. Row 0, padding, stays. */
type Directions = ReadonlyMap<string, Float32Array>;

/**
 * A model's ranking metrics with each item's vector moved by ε, for each ε: in the direction in which the softmax cross-entropy of the
 * task's questions grows fastest, one for all questions, and, as a control, in a random one. Nothing of the model itself is changed.
 * Memory: two copies of the item tables and a chunk of scores.
 *
 * @returns undefined for a model whose items have no vectors
 * @throws INTERRUPTED once the signal is aborted
 */
export async function attacked(
  restored: RestoredModel,
  name: string,
  task: Task,
  options: {
    readonly epsilon: readonly number[];
    readonly resamples: number;
    readonly context: StageContext;
  },
): Promise<Attack[] | undefined> {
  const tables = itemTables(restored.inits);
  if (tables.length === 0) return undefined;
  const { context, resamples } = options;
  const { seed } = task.settings;
  const adversarial = steepest(restored, tables, name, task, context);
  const random = randomDirections(adversarial, restored, seed);
  const under = async (directions: Directions, epsilon: number) => {
    const inner = modelScorer(moved(restored, directions, epsilon), name);
    try {
      const scorer: Scorer = scorerFor(inner, restored.catalogue, task.dataset.catalogue);
      const { metrics, perUser } = await ask(scorer, task, context);
      return { metrics, intervals: Object.fromEntries(bootstrap(perUser, { resamples, seed })) };
    } finally {
      inner.dispose();
    }
  };
  const attacks: Attack[] = [];
  for (const epsilon of options.epsilon)
    attacks.push({
      epsilon,
      adversarial: await under(adversarial, epsilon),
      random: await under(random, epsilon),
    });
  return attacks;
}

/** The gradient of the mean loss of all questions, by table, its rows brought to length 1. */
export function steepest(
  { model, inits, catalogue }: RestoredModel,
  tables: readonly string[],
  name: string,
  task: Pick<Task, 'dataset' | 'evaluation'>,
  context: Pick<StageContext, 'progress' | 'signal'>,
): Directions {
  const { queries, targets } = task.evaluation;
  const { translate, items } = translated(catalogue, task.dataset.catalogue);
  const store = new ParameterStore(inits, model.constants());
  const wanted = new Map(tables.map((table) => [table, store.variables.get(table)!]));
  const sums = new Map(tables.map((table) => [table, new Float32Array(inits.get(table)!.data.length)]));
  const size = chunkSize(model, catalogue.items.length);
  try {
    for (let from = 0; from < queries.length; from += size) {
      if (context.signal.aborted)
        throw new RecsysError('INTERRUPTED', `the attack on ${name} was interrupted`);
      const chunk = queries.slice(from, from + size).map(translate);
      // A target that the model does not know has no score to be attacked.
      const right = targets
        .slice(from, from + size)
        .map((of) => of.map((item) => items[item]!).filter((i) => i > 0));
      if (right.some((of) => of.length > 0)) add(sums, gradientOf(chunk, right));
      context.progress({ task: `attack ${name}`, done: from + chunk.length, total: queries.length });
    }
    return new Map([...sums].map(([table, sum]) => [table, unitRows(sum, inits.get(table)!.shape)]));
  } finally {
    store.dispose();
  }

  function gradientOf(chunk: readonly Query[], right: readonly Int32Array[]): Record<string, tf.Tensor> {
    return tf.tidy(() => {
      const inputs = queryInputs(chunk, model);
      const of = (values: (row: number, item: number) => number): number[] =>
        right.flatMap((them, row) => Array.from(them, (item) => values(row, item)));
      const rows = tf.tensor1d(
        of((row) => row),
        'int32',
      );
      const asked = {
        targets: tf.tensor1d(
          of((_, item) => item),
          'int32',
        ),
        weights: tf.tensor1d(of((row) => 1 / right[row]!.length)),
      };
      return gradientsBy(wanted, undefined, () => {
        const params = store.reader();
        const newest = newestStates(model, params, sequencesOf(inputs));
        const states = embeddingLookup(newest, rows) as tf.Tensor2D;
        const loss = LOSSES.softmax.compute({ model, params, states, inputs: asked, pass: INFERENCE });
        return tf.mul(loss, tf.sum(asked.weights)) as tf.Scalar;
      }).dense;
    });
  }
}

function add(sums: ReadonlyMap<string, Float32Array>, gradients: Record<string, tf.Tensor>): void {
  for (const [table, sum] of sums) {
    const gradient = gradients[table]?.dataSync();
    if (gradient) for (let i = 0; i < sum.length; i++) sum[i]! += gradient[i]!;
  }
  tf.dispose(gradients);
}

function unitRows(sum: Float32Array, shape: readonly number[]): Float32Array {
  const unit = tf.tidy(() => withoutPadding(fastGradient(tf.tensor(sum, [...shape]), 1)));
  const rows = unit.dataSync() as Float32Array;
  unit.dispose();
  return rows;
}

/** Random unit rows, uniform over directions, where `like` has one. */
export function randomDirections(like: Directions, { inits }: RestoredModel, seed: number): Directions {
  return new Map(
    [...like].map(([table, rows]) => {
      const random = Random.of(seed, 'attack', table);
      const width = inits.get(table)!.shape[1]!;
      const found = Float32Array.from(rows, () => random.normal());
      for (let at = 0; at < found.length; at += width) {
        const row = found.subarray(at, at + width);
        const length = rows.subarray(at, at + width).some((x) => x !== 0)
          ? Math.hypot(...row)
          : Number.POSITIVE_INFINITY;
        for (let i = 0; i < width; i++) row[i]! /= length;
      }
      return [table, found];
    }),
  );
}

/** The model with its tables' rows moved by ε in these directions. */
function moved(restored: RestoredModel, directions: Directions, epsilon: number): RestoredModel {
  const inits = new Map(restored.inits);
  for (const [table, unit] of directions) {
    const init = inits.get(table)!;
    inits.set(table, { ...init, data: init.data.map((value, i) => value + epsilon * unit[i]!) });
  }
  return { ...restored, inits };
}
