import * as tf from '@tensorflow/tfjs-core';
import { uploadBatch } from '../eager-step.js';
import type { HostWork } from '../function.js';
import type { Batch, Inputs } from '../step.js';
import type { NativeBackend } from './binding.js';
import { attr, DT, type GraphBuilder } from './graph-def.js';
import { differingConstant, NotRecordable, Recorder } from './recorder.js';

/** What the nodes of a function's inputs and outputs are called. */
export interface Names {
  input(name: string): string;
  output(name: string): string;
}

export interface RecordedFunction {
  readonly recorder: Recorder;
  /** Input nodes, by the names of the batch. */
  readonly placeholders: ReadonlyMap<string, string>;
  /** Nodes that stand for what is held, by its names. */
  readonly held: ReadonlyMap<string, string>;
  /** Output nodes, by the names the work gave them. */
  readonly outputs: ReadonlyMap<string, string>;
  readonly shapes: readonly Shaped[];
}

/** An output, with its shape on the recorded batch. */
export interface Shaped {
  readonly name: string;
  readonly dtype: 'float32' | 'int32';
  readonly shape: readonly number[];
}

/** Records a function into a graph. `outside`: constants from outside the recording that the graph holds, by native id. `held`: what is given anew at each run. */
export function recordFunction(
  backend: NativeBackend,
  graph: GraphBuilder,
  outside: Map<number, string>,
  work: HostWork,
  batch: Batch,
  names: Names,
  held: Inputs = {},
): RecordedFunction {
  return withInputs(batch, (inputs) => {
    const recorder = new Recorder(backend, graph, outside);
    const standIns = (tensors: Inputs, nodeOf: (name: string) => string): Map<string, string> =>
      new Map(
        Object.entries(tensors).map(([name, tensor]) => {
          const attributes = { dtype: attr.type(typeOf(tensor)), shape: attr.shape(tensor.shape) };
          const node = graph.node('Placeholder', [], attributes, nodeOf(name));
          recorder.bind(tensor, `${node}:0`);
          return [name, node];
        }),
      );
    const placeholders = standIns(inputs, names.input);
    const heldNodes = standIns(held, (name) => names.input(`held/${name}`));
    const outputs = new Map<string, string>();
    const shapes: Shaped[] = [];
    recorder.record(() =>
      tf.tidy(() => {
        for (const [name, tensor] of Object.entries(work(inputs))) {
          const attributes = { T: attr.type(typeOf(tensor)) };
          const input = [recorder.reference(tensor)];
          outputs.set(name, graph.node('Identity', input, attributes, names.output(name), tensor.rank));
          shapes.push({ name, dtype: tensor.dtype === 'float32' ? 'float32' : 'int32', shape: tensor.shape });
        }
      }),
    );
    return { recorder, placeholders, held: heldNodes, outputs, shapes };
  });
}

/** Runs a function once unrecorded, so that everything it reads from outside is on the backend before it is recorded. */
export function rehearse(work: HostWork, batch: Batch): void {
  withInputs(batch, (inputs) => tf.dispose(tf.tidy(() => ({ ...work(inputs) }))));
}

/** The same batch with other values. */
export function emptied(batch: Batch): Batch {
  return Object.fromEntries(
    Object.entries(batch).map(([name, t]) => [name, { ...t, data: t.data.slice().fill(0) }]),
  );
}

/** Throws NotRecordable where two recordings of a function on batches of one shape differ: values came by way of JavaScript. */
export function refuseDiffering(a: RecordedFunction, b: RecordedFunction): void {
  const differing = differingConstant(a.recorder, b.recorder);
  if (differing !== undefined)
    throw new NotRecordable(`an input of ${differing} is made in JavaScript of the values of the batch`);
}

const typeOf = (tensor: tf.Tensor): number => (tensor.dtype === 'float32' ? DT.float : DT.int32);

function withInputs<T>(batch: Batch, work: (inputs: Inputs) => T): T {
  const inputs = uploadBatch(batch);
  try {
    return work(inputs);
  } finally {
    tf.dispose(inputs);
  }
}
