import { ParameterStore } from '../compute/parameters.js';
import type { RestoredModel } from '../model/restore.js';
import { scoreQueries } from '../model/scorer.js';
import { paramsAdapter } from '../model/user-states.js';
import type { FrozenModel } from './learner.js';
import { stateGradients } from './state-gradients.js';

/** A checkpoint's model as it is, beside the one that learns from it. */
export function frozenModel({ model, inits }: RestoredModel): FrozenModel {
  const store = new ParameterStore(inits, model.constants());
  const params = store.reader();
  return {
    states: { ...paramsAdapter(model, params), gradients: stateGradients(model, params) },
    score: (queries) => scoreQueries(model, params, queries),
    dispose: () => store.dispose(),
  };
}
