import type { FrozenGraph, Port } from '../compute/graph/frozen.js';
import type { Catalogue } from '../types.js';
import { GRAPH_FILES, type GraphFormat } from './graph.js';

const ITEMS = 'vocabulary/items.jsonl';

const MEANINGS: Readonly<Record<string, { readonly meaning: string; readonly vocabulary?: string }>> = {
  items: {
    meaning:
      'item indices of the history, oldest first, right-aligned; 0: no event. Longer histories: the last events',
    vocabulary: ITEMS,
  },
  behaviours: {
    meaning: 'behaviour index + 1 of each event; 0: no event',
    vocabulary: 'vocabulary/behaviours.jsonl',
  },
  times: {
    meaning:
      'whole seconds of each event after the newest one of its history, so 0 and less; 0 where there is no event',
  },
  values: {
    meaning: 'value (rating) of each event less `center` of the model’s configuration; 0 where it has none',
  },
  asked: {
    meaning:
      'at the last place, behaviour index + 1 of the item that is asked for; 0: of any behaviour; 0 at the other places',
    vocabulary: 'vocabulary/behaviours.jsonl',
  },
  users: { meaning: 'user index; 0: unknown', vocabulary: 'vocabulary/users.jsonl' },
  scores: {
    meaning: 'score of each item by index, higher is better; column 0 means nothing',
    vocabulary: ITEMS,
  },
  state: {
    meaning:
      'vector of the user: its dot product with an item’s vector, plus the item’s offset, is the score',
  },
  top: { meaning: 'item indices, best first; items of the history are not left out', vocabulary: ITEMS },
};

/** `signature.json` of an exported graph. */
export function graphSignature(
  format: GraphFormat,
  { inputs, outputs }: FrozenGraph,
  length: number,
  catalogue: Catalogue,
): Record<string, unknown> {
  return {
    format,
    file: GRAPH_FILES[format],
    ...(format === 'savedmodel' ? { signature: 'serving_default', tags: ['serve'] } : {}),
    items: catalogue.items.length - 1,
    length,
    inputs: inputs.map(describe),
    outputs: outputs.map(describe),
  };
}

function describe({ name, dtype, shape }: Port): Record<string, unknown> {
  return { name, dtype, shape: shape.map((size) => (size === -1 ? 'batch' : size)), ...MEANINGS[name] };
}

/** `signature.json` of exported item vectors. */
export function vectorSignature(
  files: readonly string[],
  width: number,
  length: number,
  catalogue: Catalogue,
): Record<string, unknown> {
  const rows = catalogue.items.length;
  const offset = 'added to the dot product';
  const contents: Readonly<Record<string, unknown>> = {
    'items.parquet': {
      rows: rows - 1,
      columns: {
        index: 'item index (int32)',
        id: 'item id (text)',
        title: 'title (text, may be empty)',
        vector: `vector (list of ${width} float32)`,
        offset: `${offset} (float32)`,
      },
    },
    'vectors.npy': {
      dtype: 'float32',
      shape: [rows, width],
      meaning: 'vector of each item by index; row 0 means nothing',
    },
    'offsets.npy': { dtype: 'float32', shape: [rows], meaning: `${offset}, by item index; −1e9 at 0` },
  };
  return {
    format: 'item-vectors',
    score: 'dot(state, vector) + offset',
    state: 'output `state` of the same checkpoint exported with --format savedmodel or onnx',
    items: rows - 1,
    width,
    length,
    vocabulary: ITEMS,
    files: Object.fromEntries(files.map((name) => [name, contents[name]])),
  };
}
