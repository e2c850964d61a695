import { RecsysError } from '../../errors.js';
import type { HostWork } from '../function.js';
import { useKernels } from '../ops/kernel.js';
import type { Batch } from '../step.js';
import { forAnyBatch, type OneSize } from './any-batch.js';
import { shapeProto } from './attribute.js';
import { nativeBackend } from './binding.js';
import { DT, encodeSavedModel, GraphBuilder, type Node } from './graph-def.js';
import { Message } from './protobuf.js';
import { emptied, recordFunction, refuseDiffering, rehearse } from './record-function.js';

/** An input or output of a frozen graph; the name is that of its node, too. */
export interface Port {
  readonly name: string;
  readonly dtype: 'float32' | 'int32';
  /** −1: the size of the batch. */
  readonly shape: readonly number[];
}

/** A function with its weights as a graph of TensorFlow's own operations, for batches of any size. */
export interface FrozenGraph {
  readonly nodes: readonly Node[];
  /** Only those that an output depends on. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** Sizes of the two recordings; neither is likely to be a size of a model as well. */
const SIZES = [3, 5] as const;

/**
 * Records a function of a batch for use elsewhere: without our own operations, for batches of any size.
 *
 * @param example a batch of so many rows; every input has a row for each
 * @throws BACKEND_UNAVAILABLE where the native backend, which records, is not the active one
 */
export function freeze(work: HostWork, example: (size: number) => Batch): FrozenGraph {
  const backend = nativeBackend();
  if (!backend) {
    throw new RecsysError(
      'BACKEND_UNAVAILABLE',
      'recording a model as a graph needs the tensorflow backend',
      {
        remedy: 'Run `recsys backend install`, or export with --format item-vectors, which needs no graph.',
      },
    );
  }
  const names = { input: (name: string) => name, output: (name: string) => name };
  const record = (batch: Batch) => {
    const graph = new GraphBuilder();
    return { graph, ...recordFunction(backend, graph, new Map(), work, batch, names) };
  };
  useKernels(false);
  try {
    const ports: (readonly Port[])[] = [];
    const recordings = SIZES.map((size): OneSize => {
      const batch = example(size);
      rehearse(work, batch);
      const recorded = record(batch);
      refuseDiffering(recorded, record(emptied(batch)));
      ports.push(recorded.shapes);
      return { size, nodes: recorded.graph.needed([...recorded.outputs.values()]) };
    });
    const nodes = forAnyBatch(recordings[0]!, recordings[1]!);
    const used = new Set(nodes.map((node) => node.name));
    const inputs = Object.entries(example(1))
      .filter(([name]) => used.has(name))
      .map(([name, t]) => portOf(name, t.dtype === 'F32' ? 'float32' : 'int32', t.shape));
    return { nodes, inputs, outputs: ports[0]!.map(({ name, dtype, shape }) => portOf(name, dtype, shape)) };
  } finally {
    useKernels(true);
  }
}

const portOf = (name: string, dtype: Port['dtype'], shape: readonly number[]): Port => ({
  name,
  dtype,
  shape: [-1, ...shape.slice(1)],
});

/** A SavedModel (saved_model.pb) with the signature `serving_default`, as TensorFlow and TensorFlow Serving load it. */
export function servable({ nodes, inputs, outputs }: FrozenGraph): Uint8Array {
  const signature = new Message();
  const add = (field: number, ports: readonly Port[]): void => {
    for (const { name, dtype, shape } of ports) {
      const type = dtype === 'float32' ? DT.float : DT.int32;
      const info = new Message().bytes(1, `${name}:0`).int(2, type).message(3, shapeProto(shape));
      signature.message(field, new Message().bytes(1, name).message(2, info));
    }
  };
  add(1, inputs);
  add(2, outputs);
  signature.bytes(3, 'tensorflow/serving/predict');
  return encodeSavedModel(nodes, { serving_default: signature });
}
