import * as tf from '@tensorflow/tfjs-core';
import { graphPass, randomKey } from '../dropout.js';
import { uploadBatch } from '../eager-step.js';
import { decays } from '../optimizers/optimizer.js';
import type { RowGradient } from '../parameters.js';
import { attr, DT } from './graph-def.js';
import type { Program, RecordParts } from './program.js';
import { Recorder } from './recorder.js';
import { updateTables } from './table-update.js';

const FLOAT = { T: attr.type(DT.float) };

/**
 * Runs one step op by op without keeping its result, recording it: forward, gradients, clipping, optimizer, and the
 * assignments. With no variables given it only runs (a warm-up).
 */
export function recordProgram(parts: RecordParts): { program: Program; recorder: Recorder } {
  const { options, backend, graph, prefix, variables } = parts;
  const recorder = new Recorder(backend, graph, parts.outside);
  const placeholder = (input: string): string => `${prefix}/${input}`;
  const inputs = uploadBatch(parts.batch);
  const rate = tf.scalar(options.optimizer.rate(1e-3, parts.step));
  const random = tf.tensor1d(randomKey(options.seed, parts.step, 0), 'int32');
  const recording = variables.length > 0;
  const loss = `${prefix}/loss`;
  const norm = `${prefix}/norm`;
  const fed = [...Object.keys(inputs), 'rate', 'random'].map(placeholder);
  const program = { placeholder, loss, norm, roots: [loss, norm, ...fed] };
  if (recording) {
    for (const [name, tensor] of Object.entries({ ...inputs, rate, random })) {
      const dtype = tensor.dtype === 'float32' ? DT.float : DT.int32;
      graph.node(
        'Placeholder',
        [],
        { dtype: attr.type(dtype), shape: attr.shape(tensor.shape) },
        placeholder(name),
      );
      recorder.bind(tensor, `${placeholder(name)}:0`);
    }
  }
  const reads = recording ? readVariables(parts, recorder) : new Map<string, string>();
  const work = (): void =>
    tf.tidy(() => {
      const assignments = step(parts, recorder, recording, inputs, rate, random, reads);
      if (!recording) return;
      graph.node('Identity', [assignments.loss, ...assignments.controls], FLOAT, program.loss);
      graph.node('Identity', [assignments.norm, ...assignments.controls], FLOAT, program.norm);
    });
  if (recording) recorder.record(work);
  else work();
  tf.dispose([...Object.values(inputs), rate, random]);
  return { program, recorder };
}

/** One read of each variable in this program; every use of the variable's tensor refers to it. */
function readVariables(
  { options, eager, graph, prefix, variables }: RecordParts,
  recorder: Recorder,
): Map<string, string> {
  const handles = new Map(variables.map((v) => [v.name, v.handle]));
  const reads = new Map<string, string>();
  const read = (name: string, tensor: tf.Tensor): void => {
    const node = graph.node(
      'ReadVariableOp',
      [handles.get(name)!],
      { dtype: attr.type(DT.float) },
      `${prefix}/read/${name}`,
    );
    reads.set(name, node);
    recorder.bind(tensor, `${node}:0`);
  };
  for (const [name, v] of options.store.variables) read(name, v);
  for (const [name, slots] of eager.slots) {
    slots.forEach((v, k) => {
      read(`${name}/${options.optimizer.slots[k]!.name}`, v);
    });
  }
  return reads;
}

function step(
  parts: RecordParts,
  recorder: Recorder,
  recording: boolean,
  inputs: Record<string, tf.Tensor>,
  rate: tf.Scalar,
  random: tf.Tensor1D,
  reads: ReadonlyMap<string, string>,
): { loss: string; norm: string; controls: string[] } {
  const { options, eager, graph } = parts;
  const { store, optimizer, l2 = 0, clipNorm = 0 } = options;
  const handles = new Map(parts.variables.map((v) => [v.name, v.handle]));
  const signals = options.signals?.(inputs) ?? {};
  const all = { ...inputs, ...signals };
  const recorded: RowGradient[] = [];
  const gathers: { table: string; node: string }[] = [];
  const params = store.graphRecorder(eager.anchor, recorded, (table, rows, ids) => {
    if (!recording) return;
    const node = graph.node('ResourceGather', [handles.get(table)!, recorder.reference(ids)], {
      dtype: attr.type(DT.float),
      Tindices: attr.type(DT.int32),
      batch_dims: attr.int(0),
      validate_indices: attr.bool(true),
    });
    recorder.bind(rows, `${node}:0`);
    gathers.push({ table, node });
  });
  const wanted = store.tables.size > 0 ? [...eager.trainable, eager.anchor] : eager.trainable;
  const { value, grads } = tf.variableGrads(() => options.loss(params, all, graphPass(random)), wanted);
  const dense = eager.trainable.map((v) => grads[v.name] as tf.Tensor | undefined);
  const tables = updateTables(
    parts,
    recorder,
    recording,
    recorded.filter((r) => eager.tableSlots.has(r.name)),
    handles,
  );
  const squares = dense.filter((g) => g !== undefined).map((g) => tf.sum(tf.square(g)));
  const norm = tf.sqrt(tf.addN([...squares, ...tables.squaredNorms])) as tf.Scalar;
  const scale = clipNorm > 0 ? tf.minimum(1, tf.div(clipNorm, tf.maximum(norm, 1e-30))) : tf.scalar(1);
  const controls: string[] = [];
  const assign = (name: string, tensor: tf.Tensor): void => {
    if (!recording || !reads.has(name)) return;
    const node = graph.node('AssignVariableOp', [handles.get(name)!, recorder.reference(tensor)], {
      dtype: attr.type(DT.float),
    });
    controls.push(`^${node}`);
  };
  eager.names.forEach((name, i) => {
    const gradient = dense[i];
    if (!gradient) return;
    const variable = eager.trainable[i]!;
    let g: tf.Tensor = clipNorm > 0 ? tf.mul(gradient, scale) : gradient;
    if (l2 > 0 && decays(variable.shape)) g = tf.add(g, tf.mul(variable, l2));
    const next = optimizer.dense(variable, g, eager.slots.get(name)!, rate);
    assign(name, next.parameter);
    next.slots.forEach((s, k) => {
      assign(`${name}/${optimizer.slots[k]!.name}`, s);
    });
  });
  controls.push(...tables.apply(scale, rate, gathers));
  return {
    loss: recording ? recorder.reference(value) : '',
    norm: recording ? recorder.reference(norm) : '',
    controls,
  };
}
