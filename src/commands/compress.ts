import { resolve } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import { eventHashes } from '../data/events.js';
import type { Footprint } from '../evaluation/footprint.js';
import { restoreModel } from '../model/restore.js';
import { writeReport } from '../report/report.js';
import { renderTable } from '../report/table.js';
import { withOutputDirectory } from '../storage/atomic.js';
import {
  type Checkpoint,
  lineageOf,
  type ManifestFields,
  readCheckpoint,
  requireFloat32,
  sealCheckpoint,
  writeCheckpoint,
} from '../storage/checkpoint.js';
import { pack } from '../storage/quantization.js';
import { type CompressConfig, compressSchema, type PrunedModel, prune } from '../training/compress.js';
import type { StoredMap } from '../types.js';
import { figuresOf, footprints, footprintTable } from './compress/footprints.js';
import { defineStage, type StageResult, type StageRun } from './stage.js';
import { begin, mergeEvents, openRecord, snapshotsIn, trainedOn } from './training.js';

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
    const { compute, libtensorflow, dataset, identity, resumeFrom } = await begin(
      partial,
      { stage: 'compress', config, resumed, continues: from },
      run,
    );
    const footprint = footprints(config, from, dataset, run);
    const before = await footprint('before', from);
    run.log('info', 'before', figuresOf(before));
    const trains = config.prune !== undefined && config.finetune.epochs > 0;
    const record = trains ? await openRecord(partial, resumeFrom?.progress) : undefined;
    const hooks = { ...snapshotsIn(partial, identity, run, record), resumeFrom };
    const model = await prune(config, dataset, restoreModel(from), hooks, run).finally(() => record?.close());
    const tensors = pack(model.tensors, config.quantize);
    const after = await footprint('after', {
      path: out,
      manifest: { model: { name: model.config.name, config: model.config } },
      tensors,
      catalogue: model.catalogue,
    });
    run.log('info', 'after', figuresOf(after));
    run.log('info', `before and after\n${renderTable(footprintTable(before, after))}`);
    const where = { compute, ...libtensorflow };
    await write(partial, { config, from, dataset, model, tensors, before, after, where });
    return {
      path: out,
      metrics: after.metrics,
      before: figuresOf(before),
      after: figuresOf(after),
      seconds: (performance.now() - started) / 1000,
    };
  });
}

interface Compressed {
  readonly config: CompressConfig;
  readonly from: Checkpoint;
  readonly dataset: Dataset;
  readonly model: PrunedModel;
  /** The model's weights as they are stored. */
  readonly tensors: StoredMap;
  readonly before: Footprint;
  readonly after: Footprint;
  readonly where: Pick<ManifestFields, 'compute' | 'libtensorflow'>;
}

/** Writes checkpoint and report. */
async function write(partial: string, compressed: Compressed): Promise<void> {
  const { config, from, dataset, model, tensors, before, after, where } = compressed;
  const { fit, catalogue } = model;
  const manifest = await writeCheckpoint(partial, {
    manifest: {
      stage: 'compress',
      model: { name: model.config.name, config: model.config },
      seed: config.seed,
      metrics: after.metrics,
      dataset: fit ? trainedOn(dataset) : from.manifest.dataset,
      lineage: lineageOf(from),
      ...where,
    },
    config,
    tensors,
    catalogue,
    trainedEvents: mergeEvents([...(fit ? [eventHashes(dataset, 'train')] : []), from.trainedEvents]),
  });
  const chosen = fit ? ' The epoch kept was chosen on the same rows.' : '';
  await writeReport(partial, {
    title: `compress: ${model.config.name}`,
    manifest,
    metricsHistory: fit?.history ?? [],
    comparison: footprintTable(before, after),
    comparisonNote: `On the validation rows of ${dataset.manifest.name}; requests were answered in one process.${chosen}`,
    config,
  });
  await sealCheckpoint(partial);
}
