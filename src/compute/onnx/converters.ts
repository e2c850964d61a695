import { attributeValue } from '../graph/attribute.js';
import type { Node } from '../graph/graph-def.js';
import { type Emitter, valueName } from './emitter.js';
import { ONNX_TYPE, type OnnxAttribute, onnxType } from './proto.js';

/** Writes a TensorFlow node as ONNX nodes, the last of which gives the value of the node's name. */
type Converter = (node: Node, emitter: Emitter) => void;

/** An operation that is the same in both but for its name. */
const same =
  (op: string): Converter =>
  (node, e) => {
    e.emit(op, e.inputs(node), {}, node.name);
  };

/** A sum, mean or maximum over constant axes. Only ReduceSum takes them as an input at this operator set. */
const reduce =
  (op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax'): Converter =>
  (node, e) => {
    const [input] = e.inputs(node);
    const axes = constants(node, 1, e);
    const keepdims = { int: attributeValue(node.attributes, 'keep_dims', 'bool') ? 1 : 0 };
    if (op === 'ReduceSum') e.emit(op, [input!, e.int64(axes)], { keepdims }, node.name);
    else e.emit(op, [input!], { keepdims, axes: { ints: axes } }, node.name);
  };

/** A product of matrices, either of which may come transposed. */
const product =
  (left: string, right: string): Converter =>
  (node, e) => {
    const inputs = e.inputs(node).map((input, i) => {
      if (!attributeValue(node.attributes, i === 0 ? left : right, 'bool')) return input;
      const rank = e.rank(node.inputs[i]!);
      const perm = Array.from({ length: rank }, (_, axis) => axis);
      [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
      return e.emit('Transpose', [input], { perm: { ints: perm } });
    });
    e.emit('MatMul', inputs, {}, node.name);
  };

function constants(node: Node, input: number, e: Emitter): number[] {
  const values = e.ints(node.inputs[input]!);
  if (!values) throw new Error(`onnx: input ${input} of ${node.op} is no constant`);
  return values;
}

/** The name of one of several outputs, as the inputs of other nodes say it. */
const outputOf = (node: Node, index: number): string => valueName(`${node.name}:${index}`);

/** Past the end of any axis. */
const END = 2 ** 31 - 1;

/** Every operation of TensorFlow that can be written as ONNX, with how. */
export const CONVERTERS: Readonly<Record<string, Converter>> = {
  // An input of the graph, which has its name already.
  Placeholder: () => undefined,
  Const: (node, e) => e.constant(node),
  Identity: same('Identity'),
  Add: same('Add'),
  AddV2: same('Add'),
  Sub: same('Sub'),
  Mul: same('Mul'),
  RealDiv: same('Div'),
  Maximum: same('Max'),
  Minimum: same('Min'),
  Neg: same('Neg'),
  Abs: same('Abs'),
  Exp: same('Exp'),
  Log: same('Log'),
  Sqrt: same('Sqrt'),
  Erf: same('Erf'),
  Relu: same('Relu'),
  Sigmoid: same('Sigmoid'),
  Softplus: same('Softplus'),
  Tanh: same('Tanh'),
  Equal: same('Equal'),
  Greater: same('Greater'),
  Less: same('Less'),
  IsNan: same('IsNaN'),
  Select: same('Where'),
  SelectV2: same('Where'),
  MatMul: product('transpose_a', 'transpose_b'),
  BatchMatMulV2: product('adj_x', 'adj_y'),
  Sum: reduce('ReduceSum'),
  Mean: reduce('ReduceMean'),
  Max: reduce('ReduceMax'),
  NotEqual: (node, e) => {
    e.emit('Not', [e.emit('Equal', e.inputs(node))], {}, node.name);
  },
  Square: (node, e) => {
    const [x] = e.inputs(node);
    e.emit('Mul', [x!, x!], {}, node.name);
  },
  Rsqrt: (node, e) => {
    e.emit('Reciprocal', [e.emit('Sqrt', e.inputs(node))], {}, node.name);
  },
  Softmax: (node, e) => {
    e.emit('Softmax', e.inputs(node), { axis: { int: -1 } }, node.name);
  },
  Cast: (node, e) => {
    const to: OnnxAttribute = { int: onnxType(attributeValue(node.attributes, 'DstT', 'type')!) };
    e.emit('Cast', e.inputs(node), { to }, node.name);
  },
  Transpose: (node, e) => {
    e.emit('Transpose', [e.inputs(node)[0]!], { perm: { ints: constants(node, 1, e) } }, node.name);
  },
  Reshape: (node, e) => {
    e.emit('Reshape', [e.inputs(node)[0]!, e.wide(node.inputs[1]!)], {}, node.name);
  },
  ExpandDims: (node, e) => {
    e.emit('Unsqueeze', [e.inputs(node)[0]!, e.wide(node.inputs[1]!)], {}, node.name);
  },
  Squeeze: (node, e) => {
    const axes = attributeValue(node.attributes, 'squeeze_dims', 'ints') ?? [];
    e.emit('Squeeze', [...e.inputs(node), ...(axes.length > 0 ? [e.int64(axes)] : [])], {}, node.name);
  },
  Slice: (node, e) => {
    const begin = constants(node, 1, e);
    const size = constants(node, 2, e);
    const end = begin.map((from, axis) => (size[axis] === -1 ? END : from + size[axis]!));
    e.emit('Slice', [e.inputs(node)[0]!, e.int64(begin), e.int64(end)], {}, node.name);
  },
  GatherV2: (node, e) => {
    const [x, ids] = e.inputs(node);
    e.emit('Gather', [x!, ids!], { axis: { int: constants(node, 2, e)[0]! } }, node.name);
  },
  ConcatV2: (node, e) => {
    const axis = constants(node, node.inputs.length - 1, e)[0]!;
    e.emit('Concat', e.inputs(node).slice(0, -1), { axis: { int: axis } }, node.name);
  },
  SplitV: (node, e) => {
    const outputs = constants(node, 1, e).map((_, i) => outputOf(node, i));
    const axis = { int: constants(node, 2, e)[0]! };
    e.emitAll('Split', [e.inputs(node)[0]!, e.int64(constants(node, 1, e))], outputs, { axis });
  },
  // A number for an index takes the axis away.
  Unpack: (node, e) => {
    const axis = { int: attributeValue(node.attributes, 'axis', 'int')! };
    const count = attributeValue(node.attributes, 'num', 'int')!;
    for (let i = 0; i < count; i++)
      e.emit('Gather', [e.inputs(node)[0]!, e.int64(i)], { axis }, outputOf(node, i));
  },
  Pack: (node, e) => {
    const axis = attributeValue(node.attributes, 'axis', 'int')!;
    const parts = e.inputs(node).map((input) => e.emit('Unsqueeze', [input, e.int64([axis])]));
    e.emit('Concat', parts, { axis: { int: axis } }, node.name);
  },
  Fill: (node, e) => {
    e.emit('Expand', [e.inputs(node)[1]!, e.wide(node.inputs[0]!)], {}, node.name);
  },
  Range: same('Range'),
  ScatterNd: (node, e) => {
    const [places, values] = e.inputs(node);
    const zeros = e.emit('ConstantOfShape', [e.wide(node.inputs[2]!)]);
    const wide = e.emit('Cast', [places!], { to: { int: ONNX_TYPE.int64 } });
    e.emit('ScatterND', [zeros, wide, values!], { reduction: { string: 'add' } }, node.name);
  },
  Shape: (node, e) => {
    const to: OnnxAttribute = { int: ONNX_TYPE.int32 };
    e.emit('Cast', [e.emit('Shape', e.inputs(node))], { to }, node.name);
  },
  TopKV2: (node, e) => {
    const wide = `${node.name}/int64`;
    const k = e.int64(constants(node, 1, e));
    e.emitAll('TopK', [e.inputs(node)[0]!, k], [node.name, wide], { axis: { int: -1 } });
    e.emit('Cast', [wide], { to: { int: ONNX_TYPE.int32 } }, outputOf(node, 1));
  },
};
