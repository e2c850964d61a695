import * as tf from '@tensorflow/tfjs-core';
import { compileFunction, compileHeld, recordsSteps } from '../compute/compile.js';
import { INFERENCE } from '../compute/dropout.js';
import type { CompiledFunction } from '../compute/function.js';
import { type HeldTensors, ParameterStore, type Params } from '../compute/parameters.js';
import { PlainParameters } from '../compute/plain/parameters.js';
import type { Batch, Inputs } from '../compute/step.js';
import type { HostTensor, Query, Scorer } from '../types.js';
import { sequencesOf } from './inputs.js';
import type { Model } from './model.js';
import type { RestoredModel } from './restore.js';
import { newestStates } from './select.js';
import { packTimes } from './times.js';
import { packValues } from './values.js';
import { countWeights } from './weights.js';

/** What of a model says how its histories are packed. */
export type Reads = Pick<Model, 'length' | 'readsTimes' | 'readsValues' | 'readsAsked'>;

/**
 * Histories of a batch of queries, right-aligned and cut to the model's length, in `places` places (default: as few as do).
 * Throws DATA_EMPTY where the model reads times and there are none.
 */
export function packQueries(queries: readonly Query[], model: Reads, places?: number) {
  const { length, readsTimes, readsValues, readsAsked } = model;
  const longest = queries.reduce((m, q) => Math.max(m, q.items.length), 1);
  const steps = places ?? Math.min(length, longest);
  const items = new Int32Array(queries.length * steps);
  const behaviours = new Int32Array(queries.length * steps);
  const users = new Int32Array(queries.length);
  queries.forEach((query, row) => {
    users[row] = query.user;
    const n = Math.min(steps, query.items.length);
    const from = query.items.length - n;
    const to = (row + 1) * steps - n;
    for (let t = 0; t < n; t++) {
      items[to + t] = query.items[from + t]!;
      behaviours[to + t] = query.behaviours[from + t]! + 1;
    }
  });
  return {
    ...{ users, items, behaviours, steps },
    ...(readsTimes ? { times: packTimes(queries, steps) } : {}),
    ...(readsValues ? { values: packValues(queries, steps, readsValues.center) } : {}),
    ...(readsAsked ? { asked: packAsked(queries, steps) } : {}),
  };
}

/** What the queries ask about, [queries × steps]: behaviour index + 1 after the newest event, 0 elsewhere. */
function packAsked(queries: readonly Query[], steps: number): Int32Array {
  const into = new Int32Array(queries.length * steps);
  queries.forEach(({ asks }, row) => {
    if (asks !== undefined) into[(row + 1) * steps - 1] = asks + 1;
  });
  return into;
}

/** Packed queries on the backend. */
export function queryInputs(queries: readonly Query[], model: Reads): Inputs {
  const { users, items, behaviours, times, values, asked, steps } = packQueries(queries, model);
  const shape: [number, number] = [queries.length, steps];
  return {
    users: tf.tensor1d(users, 'int32'),
    items: tf.tensor2d(items, shape, 'int32'),
    behaviours: tf.tensor2d(behaviours, shape, 'int32'),
    ...(times ? { times: tf.tensor2d(times, shape, 'int32') } : {}),
    ...(values ? { values: tf.tensor2d(values, shape, 'float32') } : {}),
    ...(asked ? { asked: tf.tensor2d(asked, shape, 'int32') } : {}),
  };
}

/** Logits of all items after each history, [queries × (items + 1)]. */
function scoresOf(model: Model, params: Params, inputs: Inputs): tf.Tensor2D {
  return model.logits(params, newestStates(model, params, sequencesOf(inputs)), 'all', INFERENCE);
}

/** Scores of all items for a few queries, [queries × (items + 1)]; one forward pass. */
export async function scoreQueries(
  model: Model,
  params: Params,
  queries: readonly Query[],
): Promise<Float32Array> {
  const logits = tf.tidy(() => scoresOf(model, params, queryInputs(queries, model)));
  const scores = (await logits.data()) as Float32Array;
  logits.dispose();
  return scores;
}

/**
 * Queries scored at once, a power of 4: bounded so that the largest intermediate (a model without a dot product holds
 * queries × items × hidden values) stays within about 64 MB.
 */
export function chunkSize(model: Model, items: number): number {
  const perQuery = model.candidates ? items : items * 64;
  let size = 1;
  while (size < 256 && 4 * size * perQuery <= 16_000_000) size *= 4;
  return size;
}

/** A scorer over given parameters; the caller owns them. */
export function paramsScorer(model: Model, params: Params, items: number, name: string): Scorer {
  const size = chunkSize(model, items + 1);
  return {
    name,
    items,
    score: inChunks(size, items + 1, (queries) => scoreQueries(model, params, queries)),
  };
}

/**
 * A scorer over parameters that change between two calls, by a recorded function where the backend can: few shapes, each recorded once.
 * @param changing the parameters that do, as they are at the time
 */
export function livingScorer(
  model: Model,
  params: Params,
  changing: HeldTensors,
  { items, name }: Pick<Scorer, 'items' | 'name'>,
): LivingScorer {
  if (!recordsSteps())
    return {
      ...paramsScorer(model, params, items, name),
      warm: async () => undefined,
      dispose: () => undefined,
    };
  const compiled = compileHeld((inputs) => ({ scores: scoresOf(model, params, inputs) }), changing);
  return {
    name,
    items,
    score: inFixedShapes(model, items, compiled),
    warm: (most, pause) =>
      compiled.prepare(shapesOf(model, Math.min(most, chunkSize(model, items + 1))), pause),
    dispose: () => compiled.dispose(),
  };
}

/** A scorer that can be made ready for all shapes of at most `most` queries before it is asked. */
export interface LivingScorer extends Scorer {
  warm(most: number, pause: () => Promise<void>): Promise<void>;
  dispose(): void;
}

/** A history like others: a recording looks whether what it does depends on what is in it. */
export const longestOf = (steps: number): Query => ({
  user: 0,
  items: new Int32Array(steps).fill(1),
  behaviours: new Uint8Array(steps),
  times: new Float64Array(steps),
  values: new Float32Array(steps).fill(Number.NaN),
});

/** Queries in every shape that at most `most` of them have. */
export function* queriesOfEveryShape({ length }: Reads, most: number): Generator<readonly Query[]> {
  for (let rows = 1; ; rows *= 4) {
    for (let quarter = 1; quarter <= 4; quarter++) {
      const steps = Math.min(length, quarter * Math.ceil(length / 4));
      yield new Array<Query>(rows).fill(longestOf(steps));
    }
    if (rows >= most) return;
  }
}

/** A batch of every shape that at most `most` queries have. */
function shapesOf(model: Model & Reads, most: number): Batch[] {
  return Array.from(queriesOfEveryShape(model, most), (queries) =>
    packedBatch(queries, model, queries.length, queries[0]!.items.length),
  );
}

function inFixedShapes(model: Model, items: number, compiled: CompiledFunction): Score {
  return inChunks(chunkSize(model, items + 1), items + 1, async (queries) => {
    const { rows, steps } = fixedShape(queries, model.length);
    const outputs = await compiled.run(packedBatch(queries, model, rows, steps));
    return outputs.get('scores')!.subarray(0, queries.length * (items + 1));
  });
}

type Score = (queries: readonly Query[]) => Promise<Float32Array>;

/** Scores at most `size` queries at a time, each into `width` numbers. */
function inChunks(size: number, width: number, score: Score): Score {
  return async (queries) => {
    if (queries.length <= size) return score(queries);
    const out = new Float32Array(queries.length * width);
    for (let from = 0; from < queries.length; from += size)
      out.set(await score(queries.slice(from, from + size)), from * width);
    return out;
  };
}

/** A scorer of a model's `direct` way. */
export function directScorer(direct: (query: Query) => Float32Array, items: number, name: string): Scorer {
  return {
    name,
    items,
    score: async (queries) => {
      const [first, ...more] = queries;
      if (first && more.length === 0) return direct(first);
      const out = new Float32Array(queries.length * (items + 1));
      queries.forEach((query, row) => {
        out.set(direct(query), row * (items + 1));
      });
      return out;
    },
  };
}

/** Scores of all items for one query, where the model is written out over arrays: for a single one that is faster than tensors. */
function plainScore({ model, inits }: RestoredModel): ((query: Query) => Float32Array) | undefined {
  if (!model.plain) return undefined;
  const plain = model.plain(new PlainParameters(inits).live(inits));
  return (query) => plain.scores(plain.state(query));
}

/** A scorer for a restored checkpoint. It holds the weights on the backend until disposed. */
export function modelScorer(restored: RestoredModel, name?: string): Scorer & { dispose(): void } {
  const { model, catalogue } = restored;
  const items = catalogue.items.length - 1;
  const direct = model.direct?.(restored.inits);
  if (direct) return { ...directScorer(direct, items, name ?? model.name), dispose: () => undefined };
  const alone = plainScore(restored);
  const store = new ParameterStore(restored.inits, model.constants());
  const compiled = compileFunction(
    (inputs) => ({ scores: scoresOf(model, store.reader(), inputs) }),
    countWeights(restored.inits),
  );
  const together = inFixedShapes(model, items, compiled);
  return {
    name: name ?? model.name,
    items,
    score: async (queries) => (alone && queries.length === 1 ? alone(queries[0]!) : together(queries)),
    dispose() {
      compiled.dispose();
      store.dispose();
    },
  };
}

/** Queries in tensors of `rows` lines of `steps` places. */
export function packedBatch(queries: readonly Query[], model: Reads, rows: number, steps: number): Batch {
  const { users, items, behaviours, times, values, asked } = packQueries(queries, model, steps);
  return {
    users: padded('I32', users, rows),
    items: padded('I32', items, rows, steps),
    behaviours: padded('I32', behaviours, rows, steps),
    ...(times ? { times: padded('I32', times, rows, steps) } : {}),
    ...(values ? { values: padded('F32', values, rows, steps) } : {}),
    ...(asked ? { asked: padded('I32', asked, rows, steps) } : {}),
  };
}

/** Data in a tensor of at least its size; the places that are left hold 0. */
function padded(
  dtype: 'I32' | 'F32',
  data: Int32Array | Float32Array,
  ...shape: readonly number[]
): HostTensor {
  const size = shape.reduce((a, b) => a * b);
  const whole = dtype === 'I32' ? new Int32Array(size) : new Float32Array(size);
  whole.set(data);
  return { dtype, shape, data: whole };
}

/** Few shapes: one query, or powers of 4; the longest history rounded up to a quarter of the model's length. */
export function fixedShape(queries: readonly Query[], length: number): { rows: number; steps: number } {
  const longest = Math.min(
    length,
    queries.reduce((m, q) => Math.max(m, q.items.length), 1),
  );
  let rows = 1;
  while (rows < queries.length) rows *= 4;
  const quarter = Math.ceil(length / 4);
  return { rows, steps: Math.min(length, Math.ceil(longest / quarter) * quarter) };
}
