import * as tf from '@tensorflow/tfjs-core';
import { decays } from '../optimizers/optimizer.js';
import type { RowGradient } from '../parameters.js';
import { penalties, startOf, strengthOf } from '../start.js';
import { attr, DT } from './graph-def.js';
import type { RecordParts } from './program.js';
import { type GroupTensors, type NumberTensors, touchedRows, updateTable } from './table-update.js';
import type { ProgramWriter } from './writer.js';

/** The second half of a step, inside a tidy: norm, clipping, and the update of everything that has a gradient; gives the norm. */
export function writeUpdates(
  parts: RecordParts,
  writer: ProgramWriter,
  gradients: {
    readonly loss?: tf.Scalar;
    readonly dense: ReadonlyMap<string, tf.Tensor>;
    readonly rows: readonly RowGradient[];
    readonly gathers: ReadonlyMap<string, readonly string[]>;
  },
  numbers: NumberTensors,
): tf.Scalar {
  const { clipNorm = 0 } = parts.options;
  const { state } = parts.eager;
  if (writer.writing) readState(parts, writer);
  const tables = touchedRows(parts, writer, gradients.rows);
  const grouped = parts.options.groups !== undefined;
  const of = (name: string): GroupTensors => numbers.groups[state.groupOf(name)]!;
  const all = [...gradients.dense, ...tables.map((t) => [t.name, t.gradient] as const)];
  const squares = all.map(([name, g]) => {
    const square = tf.sum(tf.square(g));
    return grouped ? tf.mul(square, of(name).active) : square;
  });
  const norm = tf.sqrt(tf.addN(squares)) as tf.Scalar;
  // All that reads the weights ends in the loss or, through a gradient, in the norm.
  writer.changesFollow(gradients.loss ? [norm, gradients.loss] : [norm]);
  const scale = clipNorm > 0 ? tf.minimum(1, tf.div(clipNorm, tf.maximum(norm, 1e-30))) : tf.scalar(1);
  const scaleOf = (name: string): tf.Tensor => (grouped ? tf.mul(scale, of(name).active) : scale);
  state.names.forEach((name, i) => {
    const gradient = gradients.dense.get(name);
    const scaled = gradient && (grouped || clipNorm > 0) ? tf.mul(gradient, scaleOf(name)) : gradient;
    updateDense(parts, writer, name, state.trainable[i]!, scaled, of(name));
  });
  for (const table of tables)
    updateTable(parts, writer, table, scaleOf(table.name), numbers, gradients.gathers.get(table.name) ?? []);
  return norm;
}

/** Binds what the updates of dense parameters read. */
function readState({ options, eager }: RecordParts, writer: ProgramWriter): void {
  const { names, trainable, slots, averages, start } = eager.state;
  const bind = (v: tf.Tensor, name: string): void => writer.bind(v, writer.read(name));
  names.forEach((name, i) => {
    bind(trainable[i]!, name);
    options.optimizer.slots.forEach((slot, k) => {
      bind(slots.get(name)![k]!, `${name}/${slot.name}`);
    });
  });
  for (const [name, v] of averages?.dense ?? []) bind(v, `${name}/average`);
  for (const [name, pulled] of start?.dense ?? []) {
    bind(pulled.start, startOf(name));
    bind(pulled.strength, strengthOf(name));
  }
}

function updateDense(
  parts: RecordParts,
  writer: ProgramWriter,
  name: string,
  variable: tf.Variable,
  gradient: tf.Tensor | undefined,
  numbers: GroupTensors,
): void {
  const { averages } = parts.eager.state;
  const next = gradient ? change(parts, writer, name, variable, gradient, numbers) : variable;
  const average = averages?.dense.get(name);
  if (!averages || !average) return;
  const averaged = averages.next(average, next);
  if (writer.writing) writer.assign(`${name}/average`, averaged);
}

/** Changes one dense parameter and its slots; gives the parameter as it is then. */
function change(
  { options, eager }: RecordParts,
  writer: ProgramWriter,
  name: string,
  variable: tf.Variable,
  gradient: tf.Tensor,
  { rate, keep, active }: GroupTensors,
): tf.Tensor {
  const { optimizer, l2 = 0 } = options;
  const { kernel } = optimizer;
  const matrix = decays(variable.shape);
  const penalty = penalties(variable, matrix ? l2 : 0, eager.state.start?.dense.get(name));
  const g = penalty ? tf.add(gradient, options.groups ? tf.mul(penalty, active) : penalty) : gradient;
  const from = optimizer.weightDecay && matrix ? tf.mul(variable, keep) : variable;
  const slotNames = optimizer.slots.map((s) => `${name}/${s.name}`);
  if (!kernel) {
    const next = optimizer.dense(from, g, eager.state.slots.get(name)!, rate);
    if (!writer.writing) return next.parameter;
    writer.assign(name, next.parameter);
    next.slots.forEach((s, k) => {
      writer.assign(slotNames[k]!, s);
    });
    return next.parameter;
  }
  const after = tf.zeros(variable.shape);
  if (!writer.writing) return after;
  const decayed = from === variable ? [] : [writer.assign(name, from)];
  const inputs = kernel.inputs.map((input) => {
    if (typeof input === 'number') return writer.float(input);
    return writer.reference(input === 'rate' ? rate : g);
  });
  const flags = Object.entries(kernel.flags ?? {}).map(([flag, on]) => [flag, attr.bool(on)] as const);
  const applied = writer.change(kernel.op, [name, ...slotNames], [...inputs, ...decayed], {
    T: attr.type(DT.float),
    ...Object.fromEntries(flags),
  });
  writer.readAfter(name, [applied], after);
  return after;
}
