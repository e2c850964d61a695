import { freezeModel } from '../model/exported.js';
import type { StageContext } from '../types.js';
import { exampleOf } from './example.js';
import { type GraphFormat, inputsOf, openGraph, writeGraph } from './graph.js';
import { compare, type Described, type Job, shownRequest } from './job.js';
import { graphSignature } from './signature.js';

/**
 * Writes a model as a graph into a directory and compares the file with the checkpoint.
 * @throws BACKEND_UNAVAILABLE, EXPORT_IMPOSSIBLE, EXPORT_DIFFERS, INTERRUPTED
 */
export async function exportGraph(
  dir: string,
  format: GraphFormat,
  job: Job,
  context: StageContext,
): Promise<Described> {
  const { config, checkpoint, restored } = job;
  const { catalogue } = checkpoint;
  const { model } = restored;
  const graph = freezeModel(restored, config.top);
  await writeGraph(dir, format, graph, checkpoint.manifest.model.name);
  const artefact = await openGraph(dir, format, graph, model);
  if (!artefact.written)
    context.log(
      'warn',
      'onnxruntime-node is not installed: compared is the graph that was converted, not the file',
    );
  try {
    const parity = await compare(dir, job, artefact, context);
    const query = shownRequest(job);
    const inputs = inputsOf([query], model);
    const read = Object.fromEntries(graph.inputs.map(({ name }) => [name, inputs[name]!]));
    return {
      parity,
      signature: graphSignature(format, graph, model.length, catalogue),
      example: exampleOf(query, read, await artefact.answer([query]), catalogue),
    };
  } finally {
    artefact.dispose();
  }
}
