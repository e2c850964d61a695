import * as tf from '@tensorflow/tfjs-core';
import { decays } from '../optimizers/optimizer.js';
import type { RowGradient } from '../parameters.js';
import { penalties, startOf, strengthOf } from '../start.js';
import { attr, DT } from './graph-def.js';
import type { RecordParts } from './program.js';
import { edge, type ProgramWriter } from './writer.js';

const FLOAT = attr.type(DT.float);
const INT = attr.type(DT.int32);
/** int64: what `Where` gives. */
const LONG = attr.type(9);

/** The distinct rows that a step touches in one table. */
export interface TouchedRows {
  readonly name: string;
  readonly width: number;
  /** Reference of their ids. */
  readonly ids: string;
  /** [rows × width] in the graph; the tensor itself is a stand-in of one row, for ops that are elementwise. */
  readonly gradient: tf.Tensor;
}

/** Numbers of the step that a group of parameters shares, as tensors. */
export interface GroupTensors {
  readonly rate: tf.Scalar;
  readonly keep: tf.Scalar;
  readonly active: tf.Scalar;
}

/** Numbers of the step, as tensors. */
export interface NumberTensors {
  readonly step: tf.Scalar;
  readonly groups: readonly GroupTensors[];
}

/**
 * The ids of all lookups of each table joined and made distinct, and their gradients summed by id. How many distinct ids a
 * batch has is known only when it runs, so these nodes are made by hand.
 */
export function touchedRows(
  { options }: RecordParts,
  writer: ProgramWriter,
  recorded: readonly RowGradient[],
): TouchedRows[] {
  return [...new Set(recorded.map((r) => r.name))].map((name) => {
    const { width } = options.store.tables.get(name)!;
    const lookups = recorded.filter((r) => r.name === name);
    const gradient = tf.zeros([1, width]);
    if (!writer.writing) return { name, width, ids: '', gradient };
    const merged = merge(writer, lookups);
    writer.bind(gradient, merged.gradients);
    return { name, width, ids: merged.ids, gradient };
  });
}

/** `SumById` in a graph, where ids are known only when it runs: a row for each id, those behind the distinct ones 0. */
export function sumsInGraph(
  writer: ProgramWriter,
  lookups: readonly RowGradient[],
): { sums: tf.Tensor; places: readonly tf.Tensor[] } {
  const sizes = lookups.map((r) => r.gradient.shape[0]!);
  const total = sizes.reduce((a, b) => a + b, 0);
  const sums = tf.zeros([total, lookups[0]!.gradient.shape[1]!]);
  const all = tf.zeros([total], 'int32');
  if (writer.writing) {
    const summed = summedById(writer, lookups, writer.int(total));
    writer.bind(all, summed.places);
    writer.bind(sums, summed.sums);
  }
  return { sums, places: tf.split(all, sizes) };
}

/** References of the distinct ids, of each lookup's ids' places among them, and of their gradients' sums. */
function summedById(writer: ProgramWriter, lookups: readonly RowGradient[], rows?: string) {
  const ids = lookups.map((r) => writer.reference(r.idsTensor!));
  const gradients = lookups.map((r) => writer.reference(r.gradient));
  const distinct = writer.node('Unique', [concatenate(writer, ids, DT.int32)], { T: INT, out_idx: INT });
  const places = distinct.replace(/0$/, '1');
  const count = rows ?? writer.node('Size', [distinct], { T: INT, out_type: INT });
  const all = concatenate(writer, gradients, DT.float);
  const sums = writer.node('UnsortedSegmentSum', [all, places, count], {
    T: FLOAT,
    Tindices: INT,
    Tnumsegments: INT,
  });
  return { distinct, places, sums };
}

function merge(writer: ProgramWriter, lookups: readonly RowGradient[]): { ids: string; gradients: string } {
  const { distinct, sums } = summedById(writer, lookups);
  // Padding (row 0) never trains.
  const present = writer.node('NotEqual', [distinct, writer.int(0)], {
    T: INT,
    incompatible_shape_error: attr.bool(true),
  });
  const where = writer.node('Where', [present], { T: attr.type(DT.bool) });
  const places = writer.node('Reshape', [where, writer.int([-1])], { T: LONG, Tshape: INT });
  const pick = (values: string, type: typeof FLOAT): string =>
    writer.node('GatherV2', [values, places, writer.int(0)], {
      Tparams: type,
      Tindices: LONG,
      Taxis: INT,
      batch_dims: attr.int(0),
    });
  return { ids: pick(distinct, INT), gradients: pick(sums, FLOAT) };
}

/** Joins along the first axis. */
export function concatenate(writer: ProgramWriter, values: readonly string[], dtype: number): string {
  if (values.length === 1) return values[0]!;
  return writer.node('ConcatV2', [...values, writer.int(0)], {
    N: attr.int(values.length),
    T: attr.type(dtype),
    Tidx: INT,
  });
}

/**
 * The lazy update of one table: rows and state gathered, the optimizer's elementwise form on them, and the result scattered
 * back after all the step's gathers of the table.
 */
export function updateTable(
  { options, eager }: RecordParts,
  writer: ProgramWriter,
  { name, width, ids, gradient }: TouchedRows,
  scale: tf.Tensor,
  { step, groups }: NumberTensors,
  gathers: readonly string[],
): void {
  const { optimizer, l2 = 0 } = options;
  const { averages, start } = eager.state;
  const { rate, keep, active } = groups[eager.state.groupOf(name)]!;
  const held = (variable: string, size = width): tf.Tensor => {
    const tensor = tf.zeros([1, size]);
    if (writer.writing) writer.gather(variable, ids, tensor);
    return tensor;
  };
  const weights = held(name);
  const slots = optimizer.slots.map((s) => held(`${name}/${s.name}`));
  const matrix = decays([1, width]);
  const scaled = tf.mul(gradient, scale);
  const pulled = start?.tables.has(name)
    ? { start: held(startOf(name)), strength: held(strengthOf(name)) }
    : undefined;
  const penalty = penalties(weights, matrix ? l2 : 0, pulled);
  const g = penalty ? tf.add(scaled, options.groups ? tf.mul(penalty, active) : penalty) : scaled;
  const from = optimizer.weightDecay && matrix ? tf.mul(weights, keep) : weights;
  const next = optimizer.dense(from, g, slots, rate);
  const changed = new Map([[name, next.parameter]]);
  optimizer.slots.forEach((s, k) => {
    changed.set(`${name}/${s.name}`, next.slots[k]!);
  });
  if (averages) {
    const average = held(`${name}/average`);
    const seen = held(`${name}/seen`, 1);
    const still = tf.pow(averages.decay, tf.sub(tf.sub(step, 1), seen));
    const caughtUp = tf.add(weights, tf.mul(still, tf.sub(average, weights)));
    changed.set(`${name}/average`, averages.next(caughtUp, next.parameter));
    changed.set(`${name}/seen`, tf.add(tf.mul(seen, 0), step));
  }
  if (!writer.writing) return;
  const values = [...changed].map(([variable, tensor]) => [variable, writer.reference(tensor)] as const);
  const after = [...values.map(([, value]) => edge(value)), ...gathers];
  for (const [variable, value] of values)
    writer.change('ResourceScatterUpdate', [variable], [ids, value, ...after], {
      dtype: FLOAT,
      Tindices: INT,
    });
}
