import { DT, type Held } from '../graph/attribute.js';
import type { Port } from '../graph/frozen.js';
import { Message } from '../graph/protobuf.js';

/** Operator set that the written models ask for, and the version of the file's own format that goes with it. */
export const OPSET = 17;
const IR_VERSION = 8;

/** Numbers of onnx.TensorProto.DataType. */
export const ONNX_TYPE = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;

/** The ONNX type of a TensorFlow one. */
export function onnxType(dtype: number): number {
  if (dtype === DT.float) return ONNX_TYPE.float32;
  if (dtype === DT.int32) return ONNX_TYPE.int32;
  if (dtype === DT.bool) return ONNX_TYPE.bool;
  throw new Error(`onnx: no type for TensorFlow's type ${dtype}`);
}

/** An attribute: a whole number, a decimal, or a list of whole numbers. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant by name; `dtype` is a number of ONNX_TYPE. */
export type Initializer = Held;

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** An ONNX file (onnx.ModelProto). */
export function encodeModel(graph: OnnxGraph, name: string, producerVersion: string): Uint8Array {
  const body = new Message();
  for (const node of graph.nodes) body.message(1, nodeProto(node));
  body.bytes(2, name);
  for (const [constant, held] of graph.initializers) body.message(5, tensorProto(constant, held));
  for (const port of graph.inputs) body.message(11, valueInfo(port));
  for (const port of graph.outputs) body.message(12, valueInfo(port));
  return new Message()
    .int(1, IR_VERSION)
    .bytes(2, 'recsys')
    .bytes(3, producerVersion)
    .message(7, body)
    .message(8, new Message().bytes(1, '').int(2, OPSET))
    .encode();
}

function nodeProto({ op, inputs, outputs, attributes }: OnnxNode): Message {
  const message = new Message();
  for (const input of inputs) message.bytes(1, input);
  for (const output of outputs) message.bytes(2, output);
  message.bytes(3, outputs[0]!).bytes(4, op);
  for (const [name, value] of Object.entries(attributes)) message.message(5, attributeProto(name, value));
  return message;
}

function attributeProto(name: string, value: OnnxAttribute): Message {
  const message = new Message().bytes(1, name);
  if ('int' in value) return message.int(3, value.int).int(20, 2);
  if ('float' in value) return message.float(2, value.float).int(20, 1);
  if ('string' in value) return message.bytes(4, value.string).int(20, 3);
  return value.ints.reduce((list, n) => list.int(8, n), message).int(20, 7);
}

function tensorProto(name: string, { dtype, shape, data }: Initializer): Message {
  const message = shape.reduce((dims, size) => dims.int(1, size), new Message());
  return message.int(2, dtype).bytes(8, name).bytes(9, data);
}

function valueInfo({ name, dtype, shape }: Port): Message {
  const dims = shape.reduce(
    (message, size) =>
      message.message(1, size === -1 ? new Message().bytes(2, 'batch') : new Message().int(1, size)),
    new Message(),
  );
  const tensor = new Message().int(1, ONNX_TYPE[dtype]).message(2, dims);
  return new Message().bytes(1, name).message(2, new Message().message(1, tensor));
}
