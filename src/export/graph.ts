import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CompiledFunction } from '../compute/function.js';
import { type FrozenGraph, servable } from '../compute/graph/frozen.js';
import { openSavedModel } from '../compute/graph/saved-model.js';
import { toOnnx } from '../compute/onnx/convert.js';
import { openOnnx } from '../compute/onnx/runtime.js';
import { RecsysError } from '../errors.js';
import { packQueries, type Reads } from '../model/scorer.js';
import { versions } from '../storage/versions.js';
import type { HostTensor, Query } from '../types.js';
import type { Artefact } from './artefact.js';

/** The model's file in an export of this format. */
export const GRAPH_FILES = { savedmodel: 'saved_model.pb', onnx: 'model.onnx' } as const;
export type GraphFormat = keyof typeof GRAPH_FILES;

/** Protocol buffers end here, and with them both formats. */
const LARGEST = 2 ** 31 - 1;

/**
 * Writes a frozen graph in a format.
 * @throws EXPORT_IMPOSSIBLE where the format cannot hold it
 */
export async function writeGraph(
  dir: string,
  format: GraphFormat,
  graph: FrozenGraph,
  name: string,
): Promise<void> {
  const bytes = format === 'onnx' ? toOnnx(graph, name, versions().recsys) : servable(graph);
  if (bytes.byteLength > LARGEST)
    throw new RecsysError(
      'EXPORT_IMPOSSIBLE',
      `the model takes ${bytes.byteLength} bytes, and one file of ${format} holds at most ${LARGEST}`,
      { remedy: 'Export with --format item-vectors.' },
    );
  await writeFile(join(dir, GRAPH_FILES[format]), bytes);
}

/**
 * The written file, ready to be asked. Without onnxruntime-node an ONNX file cannot be: then it is the graph that it was
 * converted from, as the name of the runtime says.
 */
export async function openGraph(
  dir: string,
  format: GraphFormat,
  graph: FrozenGraph,
  reads: Reads,
): Promise<Artefact & { readonly written: boolean }> {
  if (format === 'savedmodel')
    return { ...artefactOf('libtensorflow', openSavedModel(dir, graph), reads), written: true };
  const onnx = await openOnnx(join(dir, GRAPH_FILES.onnx), graph);
  if (onnx) return { ...artefactOf('onnxruntime', onnx, reads), written: true };
  const beside = await mkdtemp(join(tmpdir(), 'recsys-export-'));
  try {
    await writeFile(join(beside, GRAPH_FILES.savedmodel), servable(graph));
    const runtime = 'libtensorflow (the graph before its conversion)';
    return { ...artefactOf(runtime, openSavedModel(beside, graph), reads), written: false };
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

function artefactOf(runtime: string, compiled: CompiledFunction, reads: Reads): Artefact {
  return {
    runtime,
    async answer(queries) {
      const outputs = await compiled.run(inputsOf(queries, reads));
      return { scores: outputs.get('scores')!, state: outputs.get('state'), top: outputs.get('top') };
    },
    dispose: () => compiled.dispose(),
  };
}

/** Requests as an exported graph takes them: right-aligned in all places the model reads. */
export function inputsOf(queries: readonly Query[], reads: Reads): Record<string, HostTensor> {
  const { length } = reads;
  const { users, items, behaviours, times, values, asked } = packQueries(queries, reads, length);
  const shape = [queries.length, length];
  return {
    items: { dtype: 'I32', shape, data: items },
    behaviours: { dtype: 'I32', shape, data: behaviours },
    users: { dtype: 'I32', shape: [queries.length], data: users },
    ...(times ? { times: { dtype: 'I32', shape, data: times } } : {}),
    ...(values ? { values: { dtype: 'F32', shape, data: values } } : {}),
    ...(asked ? { asked: { dtype: 'I32', shape, data: asked } } : {}),
  };
}
