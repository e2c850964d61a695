import { resolve } from 'node:path';
import { eventHashes } from '../data/events.js';
import { readDataset } from '../data/read.js';
import { restoreModel } from '../model/restore.js';
import { writeReport } from '../report/report.js';
import { renderTable } from '../report/table.js';
import { withOutputDirectory } from '../storage/atomic.js';
import {
  lineageOf,
  readCheckpoint,
  requireFloat32,
  sealCheckpoint,
  writeCheckpoint,
} from '../storage/checkpoint.js';
import { pack } from '../storage/quantization.js';
import { type CompressConfig, compressSchema, prune } from '../training/compress.js';
import { figuresOf, footprints, footprintTable } from './compress/footprints.js';
import { defineStage, type StageResult, type StageRun } from './stage.js';
import { continued, mergeEvents, openCompute, openRecord, snapshotsIn } from './training.js';

export default defineStage({
  name: 'compress',
  describe: 'checkpoint → smaller checkpoint: pruned, fine-tuned, quantized',
  schema: compressSchema,
  flags: {
    data: { key: 'data', describe: 'prepared dataset', type: 'string', stdin: true },
    from: { key: 'from', describe: 'checkpoint to compress', type: 'string', stdin: true },
    quantize: { key: 'quantize', describe: 'none, float16 or int8', type: 'string' },
  },
  defaultOut: 'compressed',
  resumes: true,
  run: compress,
});

async function compress(run: StageRun<CompressConfig>): Promise<StageResult> {
  const started = performance.now();
  const { config, flags } = run;
  const from = await readCheckpoint(config.from);
  requireFloat32(from, 'compress --from');
  const out = resolve(flags.out ?? 'compressed');
  return withOutputDirectory(out, { force: flags.force, resume: flags.resume }, async (partial, resumed) => {
    const { compute, libtensorflow } = await openCompute(run, 'compress');
    const dataset = await readDataset(config.data);
    const footprint = footprints(config, from, dataset, run);
    const before = await footprint('before', from);
    run.log('info', 'before', figuresOf(before));
    const identity = {
      config: JSON.stringify(config),
      fingerprint: dataset.manifest.fingerprint,
      compute,
    };
    const resumeFrom = resumed ? await continued(partial, identity, run) : undefined;
    const trains = config.prune !== undefined && config.finetune.epochs > 0;
    const record = trains ? await openRecord(partial, resumeFrom?.progress) : undefined;
    const hooks = { ...snapshotsIn(partial, identity, run, record), resumeFrom };
    const pruned = await prune(config, dataset, restoreModel(from), hooks, run).finally(() =>
      record?.close(),
    );
    const model = { name: pruned.config.name, config: pruned.config };
    const { catalogue, fit } = pruned;
    const tensors = pack(pruned.tensors, config.quantize);
    const after = await footprint('after', { path: out, manifest: { model }, tensors, catalogue });
    run.log('info', 'after', figuresOf(after));
    const trained = fit ? eventHashes(dataset, 'train') : new BigUint64Array(0);
    const { path, manifest: read } = dataset;
    const { name, fingerprint, testSetHash } = read;
    const manifest = await writeCheckpoint(partial, {
      manifest: {
        stage: 'compress',
        model,
        seed: config.seed,
        metrics: after.metrics,
        dataset: fit ? { path, name, fingerprint, testSetHash } : from.manifest.dataset,
        lineage: lineageOf(from),
        compute,
        ...libtensorflow,
      },
      config,
      tensors,
      catalogue,
      trainedEvents: mergeEvents([trained, from.trainedEvents]),
    });
    const comparison = footprintTable(before, after);
    await writeReport(partial, {
      title: `compress: ${model.name}`,
      manifest,
      metricsHistory: fit?.history ?? [],
      comparison,
      comparisonNote: `On the validation rows of ${name}; a request is answered in this process.`,
      config,
    });
    await sealCheckpoint(partial);
    run.log('info', `\n${renderTable(comparison)}`);
    return {
      path: out,
      metrics: manifest.metrics,
      before: figuresOf(before),
      after: figuresOf(after),
      seconds: (performance.now() - started) / 1000,
    };
  });
}
