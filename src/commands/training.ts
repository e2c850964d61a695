import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { BackendInfo, BackendName } from '../compute/backend.js';
import { selectBackend } from '../compute/select.js';
import type { Dataset } from '../data/dataset.js';
import { eventHashes } from '../data/events.js';
import { readDataset } from '../data/read.js';
import { RecsysError } from '../errors.js';
import { formatQuantity } from '../report/format.js';
import { openMetricsLog } from '../report/metrics-log.js';
import { writeReport } from '../report/report.js';
import { openEventFile } from '../report/tensorboard.js';
import { adapterFiles } from '../storage/adapter-files.js';
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
import { computeSchema } from '../storage/manifest.js';
import { readSnapshot, saveSnapshot } from '../storage/snapshot.js';
import { machine } from '../storage/versions.js';
import { foreignWarning } from '../training/growth.js';
import type { Row } from '../training/progress.js';
import type { StageHooks, TrainedModel } from '../training/stage.js';
import type { StageContext } from '../types.js';
import type { StageResult, StageRun } from './stage.js';

/** `--profile`, of every training stage. */
export const profileFlag = {
  key: 'profile',
  type: 'boolean',
  describe: 'say which operations of a step cost most',
} as const;

/**
 * Reads the checkpoint that a stage goes on from, where one is given.
 * Throws CHECKPOINT_INCOMPATIBLE, naming the flag, for a quantized one.
 */
export async function readStart(path: string | undefined, flag: string): Promise<Checkpoint | undefined> {
  if (path === undefined) return undefined;
  const start = await readCheckpoint(path);
  requireFloat32(start, flag);
  return start;
}

/** The part of a training stage's config the directory around it needs. */
export interface TrainingConfig {
  readonly data: string;
  readonly backend?: BackendName | undefined;
  readonly seed: number;
}

export interface TrainingStage<C extends TrainingConfig> {
  readonly stage: 'pretrain' | 'distill' | 'finetune' | 'meta-train';
  /** The checkpoint that is continued on the dataset, if one is. */
  readonly continues?: Checkpoint | undefined;
  /** A dataset that is trained on besides. */
  readonly also?: Dataset | undefined;
  /** Checkpoints the result descends from; the first one is the parent whose line is continued. */
  readonly parents: readonly Checkpoint[];
  /** `folder` is the stage's own while it runs: what lies there is found again by a resumed run, and no part of the checkpoint. */
  train(dataset: Dataset, config: C, hooks: StageHooks & { readonly folder: string }): Promise<TrainedModel>;
}

/**
 * Runs a training stage into its directory: backend, dataset, snapshots, resume, metrics.jsonl, TensorBoard events,
 * checkpoint, report.
 */
export async function runTraining<C extends TrainingConfig>(
  run: StageRun<C>,
  stage: TrainingStage<C>,
): Promise<StageResult> {
  const started = performance.now();
  const { config, flags } = run;
  const out = resolve(flags.out ?? stage.stage);
  return withOutputDirectory(out, { force: flags.force, resume: flags.resume }, async (partial, resumed) => {
    const begun = { ...config, profile: undefined };
    const { compute, libtensorflow, dataset, identity, resumeFrom } = await begin(
      partial,
      { stage: stage.stage, config: begun, resumed, continues: stage.continues, also: stage.also },
      run,
    );
    const record = await openRecord(partial, resumeFrom?.progress);
    const trained = await stage
      .train(dataset, config, {
        ...snapshotsIn(partial, identity, run, record),
        resumeFrom,
        folder: join(partial, 'work'),
      })
      .finally(() => record.close());
    await rm(join(partial, 'work'), { recursive: true, force: true });
    const seconds = (performance.now() - started) / 1000;
    const [parent] = stage.parents;
    const manifest = await writeCheckpoint(partial, {
      manifest: {
        stage: stage.stage,
        model: { name: trained.config.name, config: trained.config },
        seed: config.seed,
        metrics: validationMetrics(trained.fit.bestRow),
        dataset: trainedOn(dataset),
        lineage: parent ? lineageOf(parent) : [],
        compute,
        ...libtensorflow,
      },
      config,
      tensors: trained.tensors,
      catalogue: trained.catalogue,
      ...(trained.adapter && parent ? { extra: adapterFiles(trained.adapter, parent) } : {}),
      trainedEvents: mergeEvents([
        eventHashes(dataset, 'train'),
        ...(stage.also ? [eventHashes(stage.also, 'train')] : []),
        ...stage.parents.map((p) => p.trainedEvents),
      ]),
      last: { ...trained.fit.last, progress: { identity, fit: trained.fit.last.progress } },
    });
    await writeReport(partial, {
      title: `${stage.stage}: ${trained.config.name}`,
      manifest,
      metricsHistory: trained.fit.history,
      config,
    });
    await sealCheckpoint(partial);
    return {
      path: out,
      metrics: manifest.metrics,
      epoch: trained.fit.bestRow.epoch,
      parameters: manifest.model.parameters,
      seconds,
    };
  });
}

/**
 * What a stage that trains begins with: its backend, its dataset, and, where it is `resumed`, the snapshot to go on from.
 * @param config what a snapshot has to have been begun with
 */
export async function begin(
  partial: string,
  {
    stage,
    config,
    resumed,
    continues,
    also,
  }: {
    readonly stage: string;
    readonly config: unknown;
    readonly resumed: boolean;
    readonly continues: Checkpoint | undefined;
    readonly also?: Dataset | undefined;
  },
  run: StageRun<Pick<TrainingConfig, 'data' | 'backend'>>,
) {
  const { compute, libtensorflow } = await openCompute(run, stage);
  const dataset = await readDataset(run.config.data);
  const warning = continues && foreignWarning(continues.catalogue, dataset);
  if (warning !== undefined) run.log('warn', warning);
  const identity = {
    config: JSON.stringify(config),
    fingerprint: [dataset, ...(also ? [also] : [])].map((d) => d.manifest.fingerprint).join(' '),
    compute,
  };
  const resumeFrom = resumed ? await continued(partial, identity, run) : undefined;
  if (run.flags.resume && !resumeFrom) run.log('info', 'nothing to resume: starting afresh');
  return { compute, libtensorflow, dataset, identity, resumeFrom };
}

/** What a checkpoint's manifest says of the dataset it was trained on. */
export function trainedOn({ path, manifest }: Dataset): ManifestFields['dataset'] {
  const { name, fingerprint, testSetHash } = manifest;
  return { path, name, fingerprint, testSetHash };
}

/** Selects the backend of a stage that computes; gives what its manifest says of it. */
async function openCompute(run: StageRun<{ backend?: BackendName | undefined }>, stage: string) {
  const backend = await selectBackend(run.config.backend);
  const { name, version, device, threads } = backend;
  run.log('info', `${stage} on ${name} (${version}, ${device}, ${formatQuantity(threads, 'thread')})`);
  const compute = { backend: name, device, version, threads, machine: machine() };
  return { compute, libtensorflow: libtensorflow(backend) };
}

/** A run's snapshots in its directory, and its record of epochs. */
export function snapshotsIn(
  partial: string,
  identity: Identity,
  run: StageContext,
  record: Awaited<ReturnType<typeof openRecord>> | undefined,
): Pick<StageHooks, 'saveSnapshot' | 'onEpoch'> {
  return {
    saveSnapshot: (s) => saveSnapshot(partial, { ...s, progress: { identity, fit: s.progress } }),
    onEpoch: async (row) => {
      run.log('info', `epoch ${row.epoch}`, rounded(row));
      await record?.append(row);
    },
  };
}

const savedProgress = z.object({
  identity: z.object({
    config: z.string(),
    fingerprint: z.string(),
    compute: computeSchema,
  }),
  fit: z.unknown(),
});
/** What a run has to be begun with to be continued. */
type Identity = z.infer<typeof savedProgress>['identity'];

/** The snapshot to go on from. Another config or dataset is refused; another machine is said. */
async function continued(partial: string, now: Identity, run: StageContext) {
  const snapshot = await readSnapshot(partial);
  if (!snapshot) return undefined;
  const saved = savedProgress.safeParse(snapshot.progress);
  if (!saved.success)
    throw new RecsysError(
      'CHECKPOINT_DAMAGED',
      `${partial}: the snapshot's progress.json is not one of recsys`,
    );
  const { identity, fit } = saved.data;
  if (identity.config !== now.config || identity.fingerprint !== now.fingerprint) {
    const what = identity.config !== now.config ? 'config' : 'dataset';
    throw new RecsysError('CONFIG_INVALID', `${partial} was begun with another ${what}`, {
      remedy: 'Give the same config and data to --resume, or start afresh with --force.',
    });
  }
  if (JSON.stringify(identity.compute) !== JSON.stringify(now.compute)) {
    const was = Object.values(identity.compute).join(', ');
    run.log('warn', `this run was begun on ${was}: it goes on, but will not repeat bit for bit`);
  }
  return { tensors: snapshot.tensors, optimizer: snapshot.optimizer, progress: fit };
}

/** metrics.jsonl and TensorBoard events, both cut back to what a resumed run continues from. */
export async function openRecord(dir: string, progress: unknown) {
  const { epoch } = (progress ?? { epoch: 0 }) as { epoch: number };
  const resume = epoch > 0 ? { resumeFrom: epoch } : {};
  const log = await openMetricsLog(`${dir}/metrics.jsonl`, resume);
  const events = await openEventFile(`${dir}/tensorboard`, resume);
  return {
    async append(row: Row): Promise<void> {
      await log.append(row);
      const { epoch: at, ...scalars } = row;
      await events.scalars(at, scalars);
    },
    async close(): Promise<void> {
      await log.close();
      await events.close();
    },
  };
}

function rounded(row: Row): Record<string, number> {
  return Object.fromEntries(Object.entries(row).map(([k, v]) => [k, Number(v.toPrecision(5))]));
}

function validationMetrics(row: Row): Record<string, number> {
  const { step: _step, learningRate: _rate, epoch: _epoch, loss: _loss, lambda: _lambda, ...metrics } = row;
  return metrics;
}

function libtensorflow(backend: BackendInfo): { libtensorflow?: string } {
  const version = /libtensorflow ([\d.]+)/.exec(backend.version)?.[1];
  return version ? { libtensorflow: version } : {};
}

/** Sorted union of sorted hashes. */
export function mergeEvents(lists: readonly BigUint64Array[]): BigUint64Array {
  const [first, ...rest] = lists.filter((l) => l.length > 0);
  if (!first) return new BigUint64Array(0);
  if (rest.length === 0) return first;
  const all = new BigUint64Array(lists.reduce((n, l) => n + l.length, 0));
  let n = 0;
  for (const list of lists) {
    all.set(list, n);
    n += list.length;
  }
  all.sort();
  let kept = 0;
  for (let i = 0; i < all.length; i++) if (i === 0 || all[i] !== all[i - 1]) all[kept++] = all[i]!;
  return all.slice(0, kept);
}
