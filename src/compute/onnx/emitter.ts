import { attributeValue, DT, intsOf } from '../graph/attribute.js';
import type { Node } from '../graph/graph-def.js';
import { type Initializer, ONNX_TYPE, type OnnxAttribute, type OnnxNode, onnxType } from './proto.js';

/** The name of a value in ONNX: that of its node, with the number of the output where that is not the first. */
export const valueName = (reference: string): string => reference.replace(/:0$/, '');

/** ONNX nodes and constants under construction, beside the TensorFlow nodes they are made from. */
export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, Initializer>();
  private readonly sources: ReadonlyMap<string, Node>;
  private serial = 0;

  constructor(nodes: readonly Node[]) {
    this.sources = new Map(nodes.map((node) => [node.name, node]));
  }

  /** Adds a node with one output, which gets this name, or one of its own; gives the name. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    output = `${op}/${this.serial++}`,
  ): string {
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  /** Adds a node with several outputs. */
  emitAll(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): void {
    this.nodes.push({ op, inputs, outputs, attributes });
  }

  /** Names of a node's inputs. */
  inputs(node: Node): string[] {
    return node.inputs.map(valueName);
  }

  /** The values of an input that is a constant of whole numbers; undefined where it is computed. */
  ints(reference: string): number[] | undefined {
    const node = this.source(reference);
    if (node?.op !== 'Const') return undefined;
    const held = attributeValue(node.attributes, 'value', 'tensor')!;
    return held.dtype === DT.int32 ? intsOf(held) : undefined;
  }

  /** An input of whole numbers as int64, which is what ONNX takes for shapes and counts. */
  wide(reference: string): string {
    const known = this.ints(reference);
    if (known) return this.int64(known);
    return this.emit('Cast', [valueName(reference)], { to: { int: ONNX_TYPE.int64 } });
  }

  /** A constant list of int64, or a number. */
  int64(value: readonly number[] | number): string {
    const [values, shape, kind] =
      typeof value === 'number' ? [[value], [], 'scalar/'] : [value, [value.length], ''];
    const name = `int64/${kind}${values.join('.')}`;
    const data = new Uint8Array(BigInt64Array.from(values, (n) => BigInt(n)).buffer);
    this.initializers.set(name, { dtype: ONNX_TYPE.int64, shape, data });
    return name;
  }

  constant(node: Node): void {
    const { dtype, shape, data } = attributeValue(node.attributes, 'value', 'tensor')!;
    this.initializers.set(node.name, { dtype: onnxType(dtype), shape, data });
  }

  /** Number of axes of an input. */
  rank(reference: string): number {
    const node = this.source(reference);
    if (node?.op === 'Const') return attributeValue(node.attributes, 'value', 'tensor')!.shape.length;
    if (node?.rank === undefined) throw new Error(`onnx: the rank of ${reference} is not known`);
    return node.rank;
  }

  private source(reference: string): Node | undefined {
    return this.sources.get(reference.split(':')[0]!);
  }
}
