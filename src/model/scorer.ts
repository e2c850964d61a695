import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import { ParameterStore, type Params } from '../compute/parameters.js';
import type { Query, Scorer } from '../types.js';
import type { Model } from './model.js';
import type { RestoredModel } from './restore.js';

/** Histories of a batch of queries, right-aligned and cut to the model's length. */
export function packQueries(queries: readonly Query[], length: number) {
  const longest = queries.reduce((m, q) => Math.max(m, q.items.length), 1);
  const steps = Math.min(length, longest);
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
  return { users, items, behaviours, steps };
}

/** Scores of all items for a few queries, [queries × (items + 1)]; one forward pass. */
export async function scoreQueries(
  model: Model,
  params: Params,
  queries: readonly Query[],
): Promise<Float32Array> {
  const { users, items, behaviours, steps } = packQueries(queries, model.length);
  const n = queries.length;
  const logits = tf.tidy(() => {
    const encoded = model.encode(
      params,
      {
        users: tf.tensor1d(users, 'int32'),
        items: tf.tensor2d(items, [n, steps], 'int32'),
        behaviours: tf.tensor2d(behaviours, [n, steps], 'int32'),
      },
      INFERENCE,
    );
    const [, positions, width] = encoded.states.shape;
    const last = tf.reshape(tf.slice(encoded.states, [0, positions - 1, 0], [n, 1, width]), [n, width]);
    return model.logits(params, last as tf.Tensor2D, 'all', INFERENCE);
  });
  const scores = (await logits.data()) as Float32Array;
  logits.dispose();
  return scores;
}

/**
 * Queries scored at once: bounded so that the largest intermediate (a model without a dot product holds
 * queries × items × hidden values) stays within about 64 MB.
 */
function chunkSize(model: Model, items: number): number {
  const perQuery = model.positional ? items : items * 64;
  return Math.max(1, Math.min(256, Math.floor(16_000_000 / perQuery)));
}

/** A scorer over given parameters; the caller owns them. */
export function paramsScorer(model: Model, params: Params, items: number, name: string): Scorer {
  const size = chunkSize(model, items + 1);
  return {
    name,
    items,
    async score(queries) {
      if (queries.length <= size) return scoreQueries(model, params, queries);
      const out = new Float32Array(queries.length * (items + 1));
      for (let from = 0; from < queries.length; from += size) {
        out.set(await scoreQueries(model, params, queries.slice(from, from + size)), from * (items + 1));
      }
      return out;
    },
  };
}

/** A scorer for a restored checkpoint. It holds the weights on the backend until disposed. */
export function modelScorer(restored: RestoredModel, name?: string): Scorer & { dispose(): void } {
  const { model, catalogue } = restored;
  const store = new ParameterStore(restored.inits, model.constants());
  const scorer = paramsScorer(model, store.reader(), catalogue.items.length - 1, name ?? model.name);
  return { ...scorer, dispose: () => store.dispose() };
}
