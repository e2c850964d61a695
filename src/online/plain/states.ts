import type { PlainModel } from '../../model/plain/plain-model.js';
import type { Query, Scorer } from '../../types.js';
import { excess } from '../excess.js';
import type { LearnableStates } from '../learner.js';

/** Users' states of a model over arrays. */
export function plainStates(model: PlainModel, width: number): LearnableStates {
  const stateOf = (states: Float32Array, row: number): Float64Array =>
    Float64Array.from(states.subarray(row * width, (row + 1) * width));
  const adapt = async (queries: readonly Query[]): Promise<Float32Array> =>
    joined(queries.map((query) => model.state(query)));
  return {
    width,
    adapt,
    rank: async (states) =>
      joined(Array.from({ length: states.length / width }, (_, row) => model.scores(stateOf(states, row)))),
    products: {
      width,
      adapt,
      vectors: async (items) => model.vectors(items),
      scores: async (state, items) => Float32Array.from(model.logits(Float64Array.from(state), items)),
    },
    gradients: async (states, items, known, { scale, added } = { scale: 1 }) =>
      joined(
        Array.from(items, (item, row) => {
          const scores = model.scores(stateOf(states, row));
          for (let i = 0; i < scores.length; i++)
            scores[i] = scale * scores[i]! + (added ? added[row * scores.length + i]! : 0);
          const off = excess(scores, item, known[row]!).subarray(1);
          if (scale !== 1) for (let i = 0; i < off.length; i++) off[i]! *= scale;
          return model.pull(
            Int32Array.from(off, (_, i) => i + 1),
            off,
          );
        }),
      ),
  };
}

/** Scores of a model over arrays. */
export function plainScores(model: PlainModel): Scorer['score'] {
  return async (queries) => {
    const [first, ...more] = queries;
    if (first && more.length === 0) return model.scores(model.state(first));
    return joined(queries.map((query) => model.scores(model.state(query))));
  };
}

function joined(rows: readonly ArrayLike<number>[]): Float32Array {
  const width = rows[0]?.length ?? 0;
  const out = new Float32Array(rows.length * width);
  for (const [row, values] of rows.entries()) out.set(values, row * width);
  return out;
}
