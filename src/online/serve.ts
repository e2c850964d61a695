import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackendInfo } from '../compute/backend.js';
import type { Dataset } from '../data/dataset.js';
import { type Budget, withinBudget } from '../model/adaptation/budget.js';
import { checkedAdapter } from '../model/adapted.js';
import { restoreModel } from '../model/restore.js';
import type { StoredAdapter } from '../storage/adapter-files.js';
import { withOutputDirectory } from '../storage/atomic.js';
import type { Checkpoint } from '../storage/checkpoint.js';
import { diskError } from '../storage/disk.js';
import { acquireLock } from '../storage/lock.js';
import { versions } from '../storage/versions.js';
import type { StageContext } from '../types.js';
import { changedSettings } from './changed-settings.js';
import { Checkpoints } from './checkpoints/checkpoints.js';
import { resolveBase } from './checkpoints/remembered.js';
import type { CheckpointsConfig } from './checkpoints/schema.js';
import type { ClicksConfig } from './clicks/schema.js';
import type { Questions } from './elicitation.js';
import { Exploration } from './exploration/exploration.js';
import type { ExplorationConfig } from './exploration/schema.js';
import { frozenModel } from './frozen.js';
import type { Alert } from './guard/alerts.js';
import { GoodState } from './guard/good.js';
import type { GuardConfig } from './guard/schema.js';
import { type AlertsConfig, Webhook } from './guard/webhook.js';
import { buildServer, listen, tryAddress } from './http/server.js';
import { ImpressionLog } from './impressions/log.js';
import type { Durability } from './journal/options.js';
import { TENSORS } from './learner.js';
import { serveLearner } from './learners.js';
import type { ListsConfig } from './lists/schema.js';
import { ServiceMetrics } from './metrics.js';
import type { QualityReport } from './prequential.js';
import { finishErasures } from './privacy/disk.js';
import { openNames } from './privacy/pseudonym-key.js';
import type { UserNames } from './privacy/pseudonyms.js';
import { renamedCatalogue, renamedState } from './privacy/renamed.js';
import { UserData } from './privacy/user-data.js';
import { type Generation, Generations, type Opening } from './rebuild/generations.js';
import type { LearningConfig, QualityConfig, RequestConfig, RetentionConfig } from './schema.js';
import { checkExposure, type Security } from './security/security.js';
import { foretellsValues, roomyModel } from './served-model.js';
import { RecommenderService } from './service.js';
import { readOnlineState, writeServed } from './snapshot.js';
import { Snapshots } from './snapshots.js';
import { goodPath, impressionsPath, journalPath, newestState, snapshotPath } from './state-directory.js';
import { turn } from './turn.js';
import { adaptsUsers } from './user-adaptation.js';
import { type DataPart, warmedBy, warmHistories } from './warm.js';

export interface ServeOptions {
  readonly checkpoint: Checkpoint;
  /** By name: requests may ask for the model with one of them added. */
  readonly adapters: ReadonlyMap<string, StoredAdapter & { readonly path: string }>;
  /** What to ask new users about; popular items where there is no list. */
  readonly questions: Questions | undefined;
  /** Histories known before the first event. */
  readonly data: Dataset | undefined;
  /** Up to which part of its split. */
  readonly dataPart: DataPart;
  /** State directory: journal and snapshot. Held by one process at a time. */
  readonly state: string;
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  /** What adapting to a user may cost when a list is asked for; learning keeps the checkpoint's own steps. */
  readonly budget: Budget;
  readonly learning: LearningConfig;
  readonly durability: Durability;
  readonly syncInterval: number;
  readonly retention: RetentionConfig;
  readonly requests: RequestConfig;
  readonly quality: QualityConfig;
  readonly lists: ListsConfig;
  readonly exploration: ExplorationConfig;
  readonly clicks: ClicksConfig;
  readonly guard: GuardConfig;
  readonly alerts: AlertsConfig;
  readonly checkpoints: CheckpointsConfig;
  /** Absent: everyone is let in, on loopback alone. */
  readonly security?: Security;
  /** File of the key that users' ids are pseudonymised with; absent: they are kept as they are. */
  readonly pseudonymKey?: string | undefined;
  /** Milliseconds after the last erasure before shared weights are rebuilt in the background; absent: the next start does it. */
  readonly rebuildAfter?: number | undefined;
  readonly backend: BackendInfo;
  /** The resolved config, as the checkpoint written at the end records it. */
  readonly config: unknown;
  /** Where to write a checkpoint when stopped, besides the snapshot in the state directory. */
  readonly out: string | undefined;
  readonly force: boolean;
  /** Called once requests are answered. */
  ready(address: { readonly url: string; readonly pid: number }): Promise<void>;
}

export interface ServeResult {
  /** The checkpoint written. */
  readonly path: string;
  readonly metrics: Readonly<Record<string, number>>;
  /** What each kind of learning earned, on the newest events. */
  readonly quality: QualityReport;
  /** What the guard said in this process. */
  readonly alerts: readonly Alert[];
}

/**
 * Serves a checkpoint until `context.signal` is aborted, then drains and writes what it has become.
 *
 * State = base checkpoint + journal. The snapshot in the state directory is a cache of that: it is used where it was made
 * from the same checkpoint and dataset, and everything journalled after it is replayed.
 */
export async function serve(options: ServeOptions, context: StageContext): Promise<ServeResult> {
  const { out, force, host, port } = options;
  checkExposure(host, options.security, context.log);
  await tryAddress(host, port);
  if (out === undefined) return serveLocked(options, context, undefined);
  return withOutputDirectory(out, { force, resume: false }, async (partial) => ({
    ...(await serveLocked(options, context, partial)),
    path: out,
  }));
}

async function serveLocked(
  options: ServeOptions,
  context: StageContext,
  partial: string | undefined,
): Promise<ServeResult> {
  await mkdir(options.state, { recursive: true }).catch((error) => {
    throw diskError(error, options.state);
  });
  const lock = await acquireLock(join(options.state, 'lock'), options.state);
  try {
    return await serveState(options, context, partial);
  } finally {
    await lock.release();
  }
}

async function serveState(
  given: ServeOptions,
  context: StageContext,
  partial: string | undefined,
): Promise<ServeResult> {
  const names = await openNames(given.state, given.pseudonymKey, context.log);
  const options = named(given, names);
  const { state } = options;
  const rename = (one: Checkpoint): Checkpoint => renamed(one, names);
  const base = await resolveBase(options, rename, context.log);
  await finishErasures(state, base, context.log);
  const { webhook: url } = options.alerts;
  const webhook = url === undefined ? undefined : new Webhook(url, options.alerts, context.log);
  const impressions = options.exploration.log
    ? await ImpressionLog.open(impressionsPath(state), { ...options, log: context.log })
    : undefined;
  try {
    const { rebuildAfter } = options;
    const generations = await Generations.begin({
      ...{ state, context, rebuildAfter, base },
      open: (opening) => openService(options, { names, webhook, impressions }, opening),
    });
    try {
      await listenUntilStopped(options, context, generations, names);
      const { service, snapshots } = generations.current;
      const served = await snapshots.take();
      if (snapshots.suspended)
        context.log(
          'warn',
          'users were erased: no snapshot was taken, the next start rebuilds shared weights',
        );
      if (partial !== undefined) await writeServed(partial, served);
      return {
        // After an erasure there is no snapshot until the next start has rebuilt what is shared.
        path: snapshots.suspended ? state : snapshotPath(state),
        metrics: served.metrics,
        quality: service.prequential.report(),
        alerts: service.guard.alerts.list,
      };
    } finally {
      await generations.close();
    }
  } finally {
    await webhook?.close();
    await impressions?.close();
  }
}

/** What all services over a state directory have in common. */
interface Shared {
  readonly names: UserNames;
  readonly webhook: Webhook | undefined;
  readonly impressions: ImpressionLog | undefined;
}

async function openService(
  given: ServeOptions,
  { names, webhook, impressions }: Shared,
  { snapshot, sealed, base, context }: Opening,
): Promise<Generation> {
  const options = { ...given, checkpoint: base.checkpoint };
  const { checkpoint, data, seed } = options;
  const values = foretellsValues(checkpoint.config);
  const learning = {
    ...options.learning,
    loss: options.learning.loss ?? (values ? 'mse' : 'softmax'),
  } as const;
  // What has been taken up while serving has its histories from the journal.
  const taken = base.eras.current.since > 0;
  const baseState = taken ? undefined : renamedState(await readOnlineState(checkpoint), names);
  const warmed = warmedBy(data, options.dataPart);
  const newest = await newestState(options.state, base, warmed, context, snapshot);
  const { source, online = baseState } = newest;
  const baseVersion = (taken ? undefined : online?.baseVersion) ?? base.eras.version;
  const restored = roomyModel(source, options);
  const rows = restored.catalogue.items.length;
  const sameOptimizer = online?.optimizer === learning.optimizer && online.rows === rows;
  if (online && !sameOptimizer) {
    const from = `${online.optimizer} of ${online.rows} items`;
    const to = `${learning.optimizer} of ${rows}`;
    context.log('info', `the optimizer changes from ${from} to ${to}: it begins afresh`);
  }
  if (learning.enabled && values && learning.loss !== 'mse')
    context.log(
      'warn',
      `the model was trained to foretell values, and \`learning.loss: ${learning.loss}\` teaches it to rank: \`mse\` goes on as it was trained`,
    );
  const adapters = [...options.adapters].map(
    ([name, stored]) => [name, checkedAdapter(stored, restored)] as const,
  );
  const scoring = await withinBudget(restored, options.budget, context);
  const known = source.catalogue.items.length;
  const learner = serveLearner(restored, learning, seed, {
    optimizer: sameOptimizer ? online?.optimizerState : undefined,
    known,
    introduced: online?.introduced,
    adapters: new Map(adapters),
    scoring: scoring.model,
  });
  const { arithmetic = TENSORS } = learner;
  context.log('info', `the model answers and learns by ${arithmetic}`, { arithmetic });
  if (online) {
    const config = { ...(options.config as object), learning, seed, arithmetic };
    const changed = changedSettings(
      { ...(source.config as object), seed: source.manifest.seed, arithmetic: online.arithmetic },
      config,
    );
    if (changed.length > 0)
      context.log(
        'warn',
        `settings have changed since the snapshot (${changed.join('; ')}): they hold from its journal record on, and a replay of the whole journal would give another model`,
      );
  }
  const metrics = new ServiceMetrics();
  const good = await GoodState.open(
    goodPath(options.state),
    {
      base: base.eras,
      data: warmed,
      optimizer: learning.optimizer,
      arithmetic,
      rows,
    },
    context.log,
  );
  const frozen = options.quality.arms ? frozenModel(restoreModel(checkpoint)) : undefined;
  const service = await RecommenderService.start({
    catalogue: restored.catalogue,
    known,
    base: checkpoint.catalogue.items.length,
    learner,
    journal: journalPath(options.state),
    durability: options.durability,
    syncInterval: options.syncInterval,
    baseVersion,
    learning,
    retention: options.retention,
    requests: options.requests,
    quality: options.quality,
    lists: options.lists,
    serving: {
      exploration: new Exploration(options.exploration, seed),
      ...(impressions && !sealed ? { impressions } : {}),
    },
    clicks: options.clicks,
    guard: options.guard,
    good,
    learns: (seq) => base.eras.learns(seq),
    ...(sealed ? { files: sealed, held: true } : {}),
    ...(webhook && !sealed ? { alerted: (alert) => webhook.send(alert) } : {}),
    frozen,
    questions: options.questions,
    // A snapshot has these histories already, but for those that were let go of.
    ...(data && !newest.online
      ? { warm: (histories) => warmHistories(histories, data, checkpoint.catalogue, options.dataPart) }
      : {}),
    ...(online ? { from: online } : {}),
    metrics,
    context,
  });
  if (adaptsUsers(learning.user) && !service.adapts)
    context.log(
      'warn',
      '`learning.user` has no effect: the model foretells values, or its states are too wide to keep one for each user',
    );
  const facts = {
    ...options,
    base: checkpoint,
    baseId: base.eras.id,
    baseVersion,
    optimizer: learning.optimizer,
    arithmetic,
    rows,
    config: { ...(options.config as object), learning },
    from: online?.journalId === service.journalId ? online.state.position : 0,
    trainedBefore: source.trainedEvents,
    good,
  };
  const snapshots = new Snapshots(service, facts, context);
  const told = { baseState, impressions, metrics, log: context.log };
  const users = new UserData({ ...facts, ...told, service, snapshots });
  if (!sealed) {
    await learner.warm?.(turn);
    await frozen?.warm?.(turn);
  }
  return { service, metrics, users, snapshots, base };
}

/** What the settings name, with users by the names they have inside. */
function named(options: ServeOptions, names: UserNames): ServeOptions {
  const { checkpoint, data } = options;
  return {
    ...options,
    checkpoint: renamed(checkpoint, names),
    data: data && { ...data, catalogue: renamedCatalogue(data.catalogue, names) },
  };
}

const renamed = (checkpoint: Checkpoint, names: UserNames): Checkpoint => ({
  ...checkpoint,
  catalogue: renamedCatalogue(checkpoint.catalogue, names),
});

async function listenUntilStopped(
  options: ServeOptions,
  context: StageContext,
  generations: Generations,
  names: UserNames,
): Promise<void> {
  const { host, port, requests, security } = options;
  const { service, metrics, users } = generations;
  const checkpoints = new Checkpoints({
    generations,
    config: options.checkpoints,
    includeSeen: options.quality.includeSeen,
    adapters: [...options.adapters.keys()],
    renamed: (checkpoint) => renamed(checkpoint, names),
    log: context.log,
  });
  const app = await buildServer({
    checkpoints,
    service,
    metrics,
    users,
    names,
    version: versions().recsys,
    bodyBytes: requests.bodyBytes,
    log: context.log,
    now: Date.now,
    ...(security ? { security } : {}),
  });
  try {
    const url = await listen(app, host, port);
    context.log('info', `serving ${url}; API description at ${url}/docs`, { url, pid: process.pid });
    await options.ready({ url, pid: process.pid });
    await Promise.race([aborted(context.signal), generations.broken]);
    await generations.settle();
    context.log('info', 'stopping: answering requests under way, learning what waits', {
      waiting: service.lag,
    });
    // Both at once: a request may take its time, and a drain that fails meanwhile must find someone who hears it.
    await Promise.all([service.drain(), app.close()]);
  } finally {
    await app.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
