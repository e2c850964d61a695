import { RecsysError } from '../../errors.js';
import type { FrozenGraph } from '../graph/frozen.js';
import { CONVERTERS } from './converters.js';
import { Emitter } from './emitter.js';
import { encodeModel } from './proto.js';

/**
 * A frozen graph as an ONNX file, operation by operation; inputs and outputs keep their names, the batch is of any size.
 *
 * @throws EXPORT_IMPOSSIBLE naming the operations that have no counterpart
 */
export function toOnnx(graph: FrozenGraph, name: string, producerVersion: string): Uint8Array {
  const missing = new Set(graph.nodes.map(({ op }) => op).filter((op) => !Object.hasOwn(CONVERTERS, op)));
  if (missing.size > 0) {
    throw new RecsysError(
      'EXPORT_IMPOSSIBLE',
      `${name} cannot be written as ONNX: nothing converts ${[...missing].join(', ')}`,
      { remedy: 'Export with --format savedmodel.' },
    );
  }
  const emitter = new Emitter(graph.nodes);
  for (const node of graph.nodes) CONVERTERS[node.op]!(node, emitter);
  const read = new Set(emitter.nodes.flatMap((node) => node.inputs));
  const initializers = new Map([...emitter.initializers].filter(([constant]) => read.has(constant)));
  const { inputs, outputs } = graph;
  return encodeModel({ nodes: emitter.nodes, initializers, inputs, outputs }, name, producerVersion);
}
