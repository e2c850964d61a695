import { SPLIT } from '../../data/dataset.js';
import type { Query } from '../../types.js';
import { best, type Strategy } from './strategy.js';

/**
 * Items whose answers move a user's state most, times their popularity. For a model that takes one gradient step, that is the gradient's
 * norm (Lee et al. 2019).
 */
export const gradient: Strategy = async ({ dataset, candidates, count, adapter }) => {
  const { interactions: rows } = dataset;
  const places = new Map(candidates.map((item, c) => [item, c]));
  const answers: Map<string, { readonly query: Query; readonly candidate: number; count: number }> =
    new Map();
  for (let r = 0; r < rows.length; r++) {
    const candidate = rows.split[r] === SPLIT.train ? places.get(rows.item[r]!) : undefined;
    if (candidate === undefined) continue;
    const key = `${rows.item[r]}/${rows.behaviour[r]}/${rows.value[r]}`;
    const known = answers.get(key);
    if (known) known.count++;
    else
      answers.set(key, {
        query: {
          user: 0,
          items: rows.item.slice(r, r + 1),
          behaviours: rows.behaviour.slice(r, r + 1),
          times: rows.time.slice(r, r + 1),
          values: rows.value.slice(r, r + 1),
        },
        candidate,
        count: 1,
      });
  }
  const all = [...answers.values()];
  const silent: Query = {
    user: 0,
    items: new Int32Array(0),
    behaviours: new Uint8Array(0),
    times: new Float64Array(0),
    values: new Float32Array(0),
  };
  const before = await adapter.adapt([silent]);
  const after = await adapter.adapt(all.map(({ query }) => query));
  const moved = new Float64Array(candidates.length);
  const counts = new Float64Array(candidates.length);
  all.forEach(({ candidate, count: n }, a) => {
    let square = 0;
    for (let i = 0; i < adapter.width; i++) square += (after[a * adapter.width + i]! - before[i]!) ** 2;
    moved[candidate]! += n * Math.sqrt(square);
    counts[candidate]! += n;
  });
  // The mean norm times the number of those who know the item: the sum.
  return best(candidates, moved, count);
};
