import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import type { HostWork } from '../compute/function.js';
import { type FrozenGraph, freeze } from '../compute/graph/frozen.js';
import { ParameterStore } from '../compute/parameters.js';
import type { Batch } from '../compute/step.js';
import { sequencesOf } from './inputs.js';
import type { Model } from './model.js';
import type { RestoredModel } from './restore.js';
import { newestStates } from './select.js';

/**
 * A model as a graph for other runtimes, of inputs `items` [B, L], `behaviours` [B, L], `users` [B], `times`, `values` and `asked`
 * [B, L] (those it reads), L being the model's length. Outputs: `scores` [B, items + 1]; `state` [B, D] of a model whose score is a dot product; with `top` > 0
 * the best items, best first, as `top` [B, top].
 *
 * @throws BACKEND_UNAVAILABLE where the native backend is not the active one
 */
export function freezeModel({ model, inits, catalogue }: RestoredModel, top: number): FrozenGraph {
  const store = new ParameterStore(inits, model.constants());
  const best = Math.min(top, catalogue.items.length - 1);
  tf.engine().startScope();
  try {
    const params = store.reader();
    // Made here they are constants of the graph, which no runtime has to compute again.
    const candidates = model.candidates?.(params, 'all');
    const work: HostWork = (inputs) => {
      const state = newestStates(model, params, sequencesOf(inputs));
      const scores = candidates
        ? tf.add(tf.matMul(state, candidates.vectors, false, true), candidates.offset)
        : model.logits(params, state, 'all', INFERENCE);
      return {
        scores,
        ...(candidates ? { state } : {}),
        ...(best > 0 ? { top: tf.topk(scores, best).indices } : {}),
      };
    };
    return freeze(work, (size) => exampleBatch(size, model));
  } finally {
    tf.engine().endScope();
    store.dispose();
  }
}

/** A batch of item 1 everywhere, which every model can read. */
function exampleBatch(size: number, { length, readsTimes, readsValues, readsAsked }: Model): Batch {
  const ones = (...shape: number[]) =>
    ({ dtype: 'I32', shape, data: new Int32Array(shape.reduce((a, b) => a * b)).fill(1) }) as const;
  return {
    ...{ items: ones(size, length), behaviours: ones(size, length), users: ones(size) },
    ...(readsTimes ? { times: ones(size, length) } : {}),
    ...(readsAsked ? { asked: ones(size, length) } : {}),
    ...(readsValues
      ? {
          values: {
            dtype: 'F32',
            shape: [size, length],
            data: new Float32Array(size * length).fill(1),
          } as const,
        }
      : {}),
  };
}
