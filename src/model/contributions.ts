import * as tf from '@tensorflow/tfjs-core';
import type { Params } from '../compute/parameters.js';
import type { Contributions, Query } from '../types.js';
import { sequencesOf } from './inputs.js';
import type { Model } from './model.js';
import { queryInputs } from './scorer.js';

/** Contributions of events, exactly, of a model whose score is a sum over them; the caller owns the parameters. */
export function paramsContributions(
  model: Model,
  params: Params,
): ((query: Query, items: Int32Array) => Promise<Contributions>) | undefined {
  const { contributions } = model;
  if (!contributions) return undefined;
  return async (query, items) => {
    const values = tf.tidy(() =>
      contributions(params, sequencesOf(queryInputs([query], model)), tf.tensor1d(items, 'int32')),
    );
    const data = (await values.data()) as Float32Array;
    const [count] = values.shape;
    values.dispose();
    const read = Math.min(count, query.items.length);
    return {
      events: Array.from({ length: read }, (_, e) => query.items.length - read + e),
      values: data.subarray((count - read) * items.length),
    };
  };
}
