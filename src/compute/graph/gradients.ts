import * as tf from '@tensorflow/tfjs-core';
import { againstAdversary, type Pass, type SumById } from '../adversary.js';
import { graphPass } from '../dropout.js';
import { gradientsBy } from '../eager-step.js';
import { inPrecision } from '../ops/kernel.js';
import type { RowGradient } from '../parameters.js';
import type { RecordParts } from './program.js';
import { sumsInGraph } from './table-update.js';
import { edge, type Fed, type ProgramWriter } from './writer.js';

/** What one batch says, forward and back. */
export interface Gradients {
  readonly loss: tf.Scalar;
  /** By parameter; those the loss does not read have none. */
  readonly dense: ReadonlyMap<string, tf.Tensor>;
  /** One a lookup of a table that trains. */
  readonly rows: readonly RowGradient[];
  /** By table: control edges to the gathers of its rows. */
  readonly gathers: ReadonlyMap<string, readonly string[]>;
}

/** Runs the loss and its gradients inside a tidy, writing them; a table's rows are gathered from its variable. */
export function gradientsOf(
  { options, eager }: RecordParts,
  writer: ProgramWriter,
  inputs: Fed,
  random: tf.Tensor1D,
): Gradients {
  const { store, loss, adversary, precision = 'float32' } = options;
  const { names, tableSlots, wanted } = eager.state;
  if (writer.writing) for (const [name, v] of store.variables) writer.bind(v, writer.read(name));
  const lookedUp: tf.Tensor[] = [];
  const gathers = new Map<string, string[]>();
  const pass: Pass = (seen = (params) => params) => {
    const rows: RowGradient[] = [];
    const params = store.graphRecorder(eager.anchor, rows, (table, values, ids) => {
      lookedUp.push(ids);
      if (!writer.writing) return;
      const gather = writer.gather(table, writer.reference(ids), values);
      gathers.set(table, [...(gathers.get(table) ?? []), edge(gather)]);
    });
    const anchor = store.tables.size > 0 ? eager.anchor : undefined;
    const { value, dense } = gradientsBy(wanted, anchor, () =>
      inPrecision(precision, () => loss(seen(params), inputs, graphPass(random))),
    );
    return { loss: value, dense, rows };
  };
  const sum: SumById = (lookups) => sumsInGraph(writer, lookups);
  const found = adversary ? againstAdversary(adversary, pass, sum, (name) => store.tables.has(name)) : pass();
  const dense = new Map(
    names.flatMap((name) => (found.dense[name] ? [[name, found.dense[name]] as const] : [])),
  );
  // Kept beyond the gradient's own tidy; the copies belong to the caller's.
  const rows = found.rows
    .filter((r) => tableSlots.has(r.name))
    .map((r) => ({ ...r, gradient: tf.clone(r.gradient), idsTensor: tf.clone(r.idsTensor!) }));
  tf.dispose([...found.rows.map((r) => r.gradient), ...lookedUp]);
  return { loss: found.loss, dense, rows, gathers };
}
