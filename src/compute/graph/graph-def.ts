import { Message } from './protobuf.js';

/** Numbers of tensorflow.DataType. */
export const DT = { float: 1, int32: 3, bool: 10, resource: 20 } as const;

/** tensorflow.AttrValue messages. */
export const attr = {
  type: (value: number) => new Message().int(6, value),
  shape: (value: readonly number[]) => new Message().message(7, shapeProto(value)),
  int: (value: number) => new Message().int(3, value),
  bool: (value: boolean) => new Message().int(5, value ? 1 : 0),
  float: (value: number) => new Message().float(4, value),
  string: (value: string) => new Message().bytes(2, value),
  ints: (values: readonly number[]) =>
    new Message().message(
      1,
      values.reduce((list, v) => list.int(3, v), new Message()),
    ),
  tensor: (dtype: number, shape: readonly number[], data: Uint8Array) =>
    new Message().message(8, new Message().int(1, dtype).message(2, shapeProto(shape)).bytes(4, data)),
};

function shapeProto(shape: readonly number[]): Message {
  return shape.reduce((message, size) => message.message(2, new Message().int(1, size)), new Message());
}

interface Node {
  readonly name: string;
  readonly op: string;
  /** `node:output` or `^node` (control). */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, Message>>;
}

/** GraphDef version whose op semantics are asked for (TensorFlow 2.9 and later have it). */
const PRODUCER = 1087;

/** A tensorflow.GraphDef under construction. */
export class GraphBuilder {
  private readonly nodes = new Map<string, Node>();
  private serial = 0;

  /** Adds a node and gives its name; its first output is `name:0`. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Message>>,
    name?: string,
  ): string {
    const unique = name ?? `${op}_${this.serial++}`;
    if (this.nodes.has(unique)) throw new Error(`graph: a node named ${unique} exists already`);
    this.nodes.set(unique, { name: unique, op, inputs, attributes });
    return unique;
  }

  has(name: string): boolean {
    return this.nodes.has(name);
  }

  constant(dtype: number, shape: readonly number[], data: Uint8Array): string {
    return `${this.node('Const', [], { dtype: attr.type(dtype), value: attr.tensor(dtype, shape, data) })}:0`;
  }

  /** Number of nodes that the given ones need. */
  size(roots: readonly string[]): number {
    return this.reachable(roots).size;
  }

  /** A SavedModel (saved_model.pb) with the nodes that the roots need. */
  savedModel(roots: readonly string[]): Uint8Array {
    const graph = new Message();
    const wanted = this.reachable(roots);
    for (const node of this.nodes.values()) {
      if (!wanted.has(node.name)) continue;
      const message = new Message().bytes(1, node.name).bytes(2, node.op);
      for (const input of node.inputs) message.bytes(3, input.replace(/:0$/, ''));
      for (const [key, value] of Object.entries(node.attributes)) {
        message.message(5, new Message().bytes(1, key).message(2, value));
      }
      graph.message(1, message);
    }
    graph.message(4, new Message().int(1, PRODUCER));
    const meta = new Message().message(1, new Message().bytes(4, 'serve')).message(2, graph);
    return new Message().int(1, 1).message(2, meta).encode();
  }

  private reachable(roots: readonly string[]): Set<string> {
    const seen = new Set<string>();
    const open = roots.map(nodeOf);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const node = this.nodes.get(name);
      if (!node) throw new Error(`graph: no node named ${name}`);
      open.push(...node.inputs.map(nodeOf));
    }
    return seen;
  }
}

function nodeOf(reference: string): string {
  return reference.replace(/^\^/, '').split(':')[0]!;
}
