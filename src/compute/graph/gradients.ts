import * as tf from '@tensorflow/tfjs-core';
import { graphPass } from '../dropout.js';
import { inPrecision } from '../ops/kernel.js';
import type { RowGradient } from '../parameters.js';
import type { RecordParts } from './program.js';
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
  const { store, loss, precision = 'float32' } = options;
  const { names, trainable, tableSlots } = eager.state;
  if (writer.writing) for (const [name, v] of store.variables) writer.bind(v, writer.read(name));
  const recorded: RowGradient[] = [];
  const lookedUp: tf.Tensor[] = [];
  const gathers = new Map<string, string[]>();
  const params = store.graphRecorder(eager.anchor, recorded, (table, rows, ids) => {
    lookedUp.push(ids);
    if (!writer.writing) return;
    const gather = writer.gather(table, writer.reference(ids), rows);
    gathers.set(table, [...(gathers.get(table) ?? []), edge(gather)]);
  });
  const wanted = store.tables.size > 0 ? [...trainable, eager.anchor] : [...trainable];
  const { value, grads } = tf.variableGrads(
    () => inPrecision(precision, () => loss(params, inputs, graphPass(random))),
    wanted,
  );
  const dense = new Map<string, tf.Tensor>();
  names.forEach((name, i) => {
    const gradient = grads[trainable[i]!.name];
    if (gradient) dense.set(name, gradient);
  });
  // Kept beyond the gradient's own tidy; the copies belong to the caller's.
  const rows = recorded
    .filter((r) => tableSlots.has(r.name))
    .map((r) => ({ ...r, gradient: tf.clone(r.gradient), idsTensor: tf.clone(r.idsTensor!) }));
  tf.dispose([...recorded.map((r) => r.gradient), ...lookedUp]);
  return { loss: value, dense, rows, gathers };
}
