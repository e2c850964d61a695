import * as tf from '@tensorflow/tfjs-core';
import { compileHeld, recordsSteps } from '../compute/compile.js';
import { copyRows, type ParameterStore, type Params } from '../compute/parameters.js';
import type { Batch } from '../compute/step.js';
import { sequencesOf } from '../model/inputs.js';
import type { Model } from '../model/model.js';
import { fixedShape, packedBatch, queriesOfEveryShape } from '../model/scorer.js';
import { newestStates } from '../model/select.js';
import type { Query } from '../types.js';

/** Users' states by a recorded function. */
export interface RecordedStates {
  adapt(queries: readonly Query[]): Promise<Float32Array>;
  /** Records it for every shape of at most `most` queries. */
  warm(most: number, pause: () => Promise<void>): Promise<void>;
  dispose(): void;
}

/**
 * States of a model whose tables the store holds by rows, with no table brought to the backend: a first function says which rows are read, a second
 * one is given them. Undefined where nothing is recorded, or the model reads all of a table.
 */
export function recordedStates(model: Model, store: ParameterStore): RecordedStates | undefined {
  if (!recordsSteps() || model.readsCatalogue) return undefined;
  const { tables } = store;
  const held = () => Object.fromEntries(store.variables);
  const dense = store.reader();
  const reading = (lookup: Params['lookup']): Params => ({
    get(name) {
      if (tables.has(name)) throw new Error(`table ${name} is held by rows: states must not read it whole`);
      return dense.get(name);
    },
    lookup: (name, ids) => (tables.has(name) ? lookup(name, ids) : dense.lookup(name, ids)),
  });
  /** Tables in the order of lookups, the same in every shape. */
  let names: readonly string[] = [];
  const asking = compileHeld((inputs) => {
    const read: string[] = [];
    const ids: Record<string, tf.Tensor> = {};
    const params = reading((name, places) => {
      ids[read.length] = tf.cast(tf.reshape(places, [places.size]), 'float32');
      read.push(name);
      return tf.zeros([...places.shape, tables.get(name)!.width]);
    });
    newestStates(model, params, sequencesOf(inputs));
    names = read;
    return ids;
  }, held);
  const encoding = compileHeld((inputs) => {
    let next = 0;
    const params = reading((name, ids) =>
      tf.reshape(inputs[`rows.${next++}`]!, [...ids.shape, tables.get(name)!.width]),
    );
    return { states: newestStates(model, params, sequencesOf(inputs)) };
  }, held);
  const adapt = async (queries: readonly Query[]): Promise<Float32Array> => {
    const { rows, steps } = fixedShape(queries, model.length);
    const batch = packedBatch(queries, model, rows, steps);
    const asked = await asking.run(batch);
    const whole: Record<string, Batch[string]> = { ...batch };
    for (const [n, name] of names.entries()) {
      const table = tables.get(name)!;
      const ids = Int32Array.from(asked.get(`${n}`)!);
      whole[`rows.${n}`] = { dtype: 'F32', shape: [ids.length, table.width], data: copyRows(table, ids) };
    }
    const { width } = model;
    return (await encoding.run(whole)).get('states')!.subarray(0, queries.length * width);
  };
  return {
    adapt,
    async warm(most, pause) {
      for (const queries of queriesOfEveryShape(model, most)) {
        await adapt(queries);
        await pause();
      }
    },
    dispose() {
      asking.dispose();
      encoding.dispose();
    },
  };
}
