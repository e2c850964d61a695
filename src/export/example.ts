import { topK } from '../compute/topk.js';
import type { Catalogue, HostTensor, Query } from '../types.js';
import type { Answers } from './artefact.js';

const SHOWN = 10;

/** `example.json`: a request, and what the exported model answers to it. `inputs` is the body of a TensorFlow Serving request. */
export function exampleOf(
  query: Query,
  inputs: Readonly<Record<string, HostTensor>>,
  { scores, state }: Answers,
  catalogue: Catalogue,
): Record<string, unknown> {
  const best = topK(scores, 0, scores.length, SHOWN);
  return {
    history: Array.from(query.items, (item) => catalogue.items[item]),
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, nested(tensor)])),
    expected: {
      ...(state ? { state: [Array.from(state)] } : {}),
      best: Array.from(best.items, (item, i) => ({ item, id: catalogue.items[item], score: best.scores[i] })),
    },
  };
}

/** One row as lists: [1] or [1, L]. */
function nested({ shape, data }: HostTensor): unknown {
  return shape.length === 1 ? Array.from(data) : [Array.from(data)];
}
