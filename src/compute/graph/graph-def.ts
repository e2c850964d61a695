import { type Attributes, attr, encodeAttribute } from './attribute.js';
import { Message } from './protobuf.js';

export { attr, DT } from './attribute.js';

export interface Node {
  readonly name: string;
  readonly op: string;
  /** `node:output` or `^node` (control). */
  readonly inputs: readonly string[];
  readonly attributes: Attributes;
  /** Number of axes of the first output, where it was recorded. */
  readonly rank?: number;
}

/** GraphDef version whose op semantics are asked for (TensorFlow 2.9 and later have it). */
const PRODUCER = 1087;

/** A tensorflow.GraphDef under construction. */
export class GraphBuilder {
  private readonly nodes = new Map<string, Node>();
  private serial = 0;

  /** Adds a node and gives its name; its first output is `name:0`. */
  node(op: string, inputs: readonly string[], attributes: Attributes, name?: string, rank?: number): string {
    const unique = name ?? `${op}_${this.serial++}`;
    if (this.nodes.has(unique)) throw new Error(`graph: a node named ${unique} exists already`);
    this.nodes.set(unique, { name: unique, op, inputs, attributes, ...(rank === undefined ? {} : { rank }) });
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

  /** The nodes that the roots need, in the order they were added. */
  needed(roots: readonly string[]): Node[] {
    const wanted = this.reachable(roots);
    return [...this.nodes.values()].filter((node) => wanted.has(node.name));
  }

  /** A SavedModel (saved_model.pb) with the nodes that the roots need. */
  savedModel(roots: readonly string[]): Uint8Array {
    return encodeSavedModel(this.needed(roots));
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

/** A SavedModel (saved_model.pb) of these nodes, with the signatures (tensorflow.SignatureDef) by name. */
export function encodeSavedModel(
  nodes: readonly Node[],
  signatures: Readonly<Record<string, Message>> = {},
): Uint8Array {
  const graph = new Message();
  for (const node of nodes) {
    const message = new Message().bytes(1, node.name).bytes(2, node.op);
    for (const input of node.inputs) message.bytes(3, input.replace(/:0$/, ''));
    for (const [key, value] of Object.entries(node.attributes)) {
      message.message(5, new Message().bytes(1, key).message(2, encodeAttribute(value)));
    }
    graph.message(1, message);
  }
  graph.message(4, new Message().int(1, PRODUCER));
  const meta = new Message().message(1, new Message().bytes(4, 'serve')).message(2, graph);
  for (const [name, signature] of Object.entries(signatures))
    meta.message(5, new Message().bytes(1, name).message(2, signature));
  return new Message().int(1, 1).message(2, meta).encode();
}
