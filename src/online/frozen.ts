import { ParameterStore } from '../compute/parameters.js';
import { PlainParameters } from '../compute/plain/parameters.js';
import type { RestoredModel } from '../model/restore.js';
import { livingScorer } from '../model/scorer.js';
import { paramsAdapter } from '../model/user-states.js';
import type { Query } from '../types.js';
import type { FrozenModel } from './learner.js';
import { MOST_TOGETHER } from './micro-batch.js';
import { plainScores, plainStates } from './plain/states.js';
import { stateGradients } from './state-gradients.js';

/** A checkpoint's model as it is, beside the one that learns from it. */
export function frozenModel({ model, inits, catalogue }: RestoredModel): FrozenModel {
  const columns = catalogue.items.length;
  const known = (queries: readonly Query[]) => queries.map((query) => before(query, columns));
  if (model.plain) {
    const plain = model.plain(new PlainParameters(inits).live(inits));
    const states = plainStates(plain, model.width);
    const score = plainScores(plain);
    return {
      columns,
      states: { ...states, adapt: (queries) => states.adapt(known(queries)) },
      score: (queries) => score(known(queries)),
      dispose: () => undefined,
    };
  }
  const store = new ParameterStore(inits, model.constants());
  const params = store.reader();
  const scorer = livingScorer(model, params, () => Object.fromEntries(store.variables), {
    items: columns - 1,
    name: model.name,
  });
  const { width, adapt, rank } = paramsAdapter(model, params);
  return {
    columns,
    states: {
      width,
      adapt: (queries) => adapt(known(queries)),
      rank,
      gradients: stateGradients(model, params),
    },
    score: (queries) => scorer.score(known(queries)),
    warm: (pause) => scorer.warm(MOST_TOGETHER, pause),
    dispose() {
      scorer.dispose();
      store.dispose();
    },
  };
}

/** A history without the items from row `columns` on. */
function before(query: Query, columns: number): Query {
  const { items, behaviours, times, values } = query;
  if (items.every((item) => item < columns)) return query;
  const kept = (_: unknown, at: number): boolean => items[at]! < columns;
  return {
    ...query,
    items: items.filter(kept),
    behaviours: behaviours.filter(kept),
    ...(times ? { times: times.filter(kept) } : {}),
    ...(values ? { values: values.filter(kept) } : {}),
  };
}
