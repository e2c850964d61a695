import type { BackendInfo } from '../compute/backend.js';
import { selectBackend } from '../compute/select.js';
import { readDataset } from '../data/read.js';
import { RecsysError } from '../errors.js';
import { writeExport } from '../export/directory.js';
import type { Described, Job } from '../export/job.js';
import { datasetRequests, randomRequests } from '../export/requests.js';
import { type ExportConfig, exportSchema } from '../export/schema.js';
import { withOutputDirectory } from '../storage/atomic.js';
import { type Checkpoint, readCheckpoint } from '../storage/checkpoint.js';
import type { Query, StageContext } from '../types.js';
import { defineStage } from './stage.js';
import { writeVectors } from './vector-files.js';

export default defineStage({
  name: 'export',
  describe: 'write a checkpoint as a SavedModel, as ONNX, or as item vectors, and compare with it',
  schema: exportSchema,
  flags: {
    model: { key: 'model', describe: 'checkpoint directory', type: 'string', stdin: true },
    format: { key: 'format', describe: 'savedmodel, onnx or item-vectors', type: 'string' },
    data: {
      key: 'data',
      describe: 'dataset whose histories the comparison asks with; default: random ones',
      type: 'string',
    },
  },
  defaultOut: 'export',
  async run(run) {
    const { config, flags } = run;
    const started = performance.now();
    const checkpoint = await readCheckpoint(config.model);
    const queriesFor = await requestSource(config, checkpoint);
    const backend = await selectBackend(config.backend);
    if (config.format !== 'item-vectors') refuseBackend(config.format, backend);
    const { restoreModel } = await import('../model/restore.js');
    const restored = restoreModel(checkpoint);
    const job: Job = { config, checkpoint, backend, restored, queries: queriesFor(restored.model.length) };
    const options = { force: flags.force, resume: false };
    const parity = await withOutputDirectory(flags.out!, options, async (partial) => {
      const described = await write(partial, job, run);
      await writeExport(partial, { config, checkpoint, backend, ...described });
      return described.parity;
    });
    return {
      path: flags.out!,
      format: config.format,
      parity,
      metrics: Object.fromEntries(
        Object.entries(parity.differences).map(([name, value]) => [`parity/${name}`, value]),
      ),
      seconds: (performance.now() - started) / 1000,
    };
  },
});

function refuseBackend(format: string, { name, reason }: BackendInfo): void {
  if (name === 'tensorflow') return;
  throw new RecsysError(
    'BACKEND_UNAVAILABLE',
    `export --format ${format} records the model on the tensorflow backend, and the active one is ${name} (${reason})`,
    {
      remedy:
        'Run `recsys backend install`, or export with --format item-vectors, which works on every backend.',
    },
  );
}

/** Where the requests of the comparison come from, once the model's length is known. */
async function requestSource(
  { data, parity, seed }: ExportConfig,
  { catalogue }: Checkpoint,
): Promise<(length: number) => Query[]> {
  if (data === undefined) return (length) => randomRequests(catalogue, length, parity.requests, seed);
  const dataset = await readDataset(data);
  return (length) => datasetRequests(dataset, catalogue, length, parity.requests, seed);
}

/** Only now: importing tfjs takes a while, and a mistake in the settings needs none of it. */
async function write(dir: string, job: Job, context: StageContext): Promise<Described> {
  const { format, vectors } = job.config;
  if (format !== 'item-vectors') {
    const { exportGraph } = await import('../export/graph-export.js');
    return exportGraph(dir, format, job, context);
  }
  const { exportVectors } = await import('../export/vector-export.js');
  return exportVectors(dir, job, context, (found) =>
    writeVectors(dir, vectors, found, job.checkpoint.catalogue),
  );
}
