import * as tf from '@tensorflow/tfjs-core';
import type { RowGradient } from '../parameters.js';
import type { StepState } from '../state.js';
import type { StepOptions } from '../step.js';
import type { Gradients } from './gradients.js';
import { attr, DT, type GraphBuilder } from './graph-def.js';
import type { RecordParts } from './program.js';
import { declareScratch, type ScratchVariable } from './session.js';
import { concatenate } from './table-update.js';
import type { ProgramWriter } from './writer.js';

const dense = (name: string): string => `accumulated/${name}`;
const ids = (table: string): string => `accumulated/${table}/ids`;
const rows = (table: string): string => `accumulated/${table}/rows`;

/**
 * Variables in which the gradients of micro-batches wait for their step: a dense one's sum, and of a table every lookup's ids
 * and row gradients, one after the other, so that a table costs by the batches here too.
 */
export function declareAccumulators(
  graph: GraphBuilder,
  { store }: StepOptions,
  { names, trainable, tableSlots }: StepState,
): ScratchVariable[] {
  return [
    ...names.map((name, i) => declareScratch(graph, dense(name), 'float', trainable[i]!.shape, false)),
    ...[...tableSlots.keys()].flatMap((name) => [
      declareScratch(graph, ids(name), 'int32', [0], true),
      declareScratch(graph, rows(name), 'float', [0, store.tables.get(name)!.width], true),
    ]),
  ];
}

/** Adds a micro-batch's gradients, times its share of the step. */
export function accumulate(writer: ProgramWriter, gradients: Gradients, share: tf.Scalar): void {
  for (const [name, gradient] of gradients.dense) {
    const scaled = tf.mul(gradient, share);
    if (!writer.writing) continue;
    writer.change('AssignAddVariableOp', [dense(name)], [writer.reference(scaled)], {
      dtype: attr.type(DT.float),
    });
  }
  for (const name of new Set(gradients.rows.map((r) => r.name))) {
    const lookups = gradients.rows.filter((r) => r.name === name);
    const scaled = lookups.map((r) => tf.mul(r.gradient, share));
    if (!writer.writing) continue;
    const append = (variable: string, values: string[], dtype: number): void => {
      const joined = concatenate(writer, [writer.read(variable), ...values], dtype);
      writer.change('AssignVariableOp', [variable], [joined], { dtype: attr.type(dtype) });
    };
    append(
      ids(name),
      lookups.map((r) => writer.reference(r.idsTensor!)),
      DT.int32,
    );
    append(
      rows(name),
      scaled.map((g) => writer.reference(g)),
      DT.float,
    );
  }
}

/** The accumulated gradients of these parameters, as those of one batch. */
export function accumulated(
  { options, eager }: RecordParts,
  writer: ProgramWriter,
  reached: ReadonlySet<string>,
): { dense: Map<string, tf.Tensor>; rows: RowGradient[] } {
  const { names, trainable, tableSlots } = eager.state;
  const taken = (variable: string, shape: readonly number[], dtype?: 'int32'): tf.Tensor => {
    const standIn = tf.zeros([...shape], dtype);
    if (writer.writing) writer.bind(standIn, writer.read(variable));
    return standIn;
  };
  const sums = new Map<string, tf.Tensor>();
  names.forEach((name, i) => {
    if (reached.has(name)) sums.set(name, taken(dense(name), trainable[i]!.shape));
  });
  const tables = [...tableSlots.keys()].filter((name) => reached.has(name));
  return {
    dense: sums,
    rows: tables.map((name) => ({
      name,
      ids: new Int32Array(0),
      idsTensor: taken(ids(name), [1], 'int32'),
      gradient: taken(rows(name), [1, options.store.tables.get(name)!.width]),
    })),
  };
}

/** Leaves nothing for the next step. */
export function emptyAccumulators(writer: ProgramWriter, taken: ReturnType<typeof accumulated>): void {
  if (!writer.writing) return;
  for (const name of taken.dense.keys()) writer.empty(dense(name));
  for (const { name } of taken.rows) {
    writer.empty(ids(name));
    writer.empty(rows(name));
  }
}
