import * as tf from '@tensorflow/tfjs-core';
import { ParameterStore } from '../compute/parameters.js';
import type { Query } from '../types.js';
import { sequencesOf } from './inputs.js';
import type { RestoredModel } from './restore.js';
import { queryInputs } from './scorer.js';
import { newestStates } from './select.js';

/** A model whose score is state · item vector + offset, in these two halves. */
export interface TwoHalves {
  readonly width: number;
  /** [(items + 1) × width]; row 0 is padding. */
  readonly vectors: Float32Array;
  /** [items + 1]; −1e9 of padding. */
  readonly offsets: Float32Array;
  /** States after histories [queries × width]. */
  states(queries: readonly Query[]): Float32Array;
  dispose(): void;
}

/** The two halves of a model, on any backend; undefined where its score is no dot product. */
export function twoHalves({ model, inits }: RestoredModel): TwoHalves | undefined {
  if (!model.candidates) return undefined;
  const store = new ParameterStore(inits, model.constants());
  const params = store.reader();
  const copied = (part: 'vectors' | 'offset'): Float32Array =>
    tf.tidy(() => Float32Array.from(model.candidates!(params, 'all')[part].dataSync()));
  return {
    width: model.width,
    vectors: copied('vectors'),
    offsets: copied('offset'),
    states(queries) {
      return tf.tidy(() => {
        const states = newestStates(model, params, sequencesOf(queryInputs(queries, model)));
        return Float32Array.from(states.dataSync());
      });
    },
    dispose: () => store.dispose(),
  };
}
