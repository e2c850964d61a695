import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withOutputDirectory } from '../storage/atomic.js';
import type { Checkpoint } from '../storage/checkpoint.js';
import { diskError } from '../storage/disk.js';
import { acquireLock } from '../storage/lock.js';
import { versions } from '../storage/versions.js';
import type { StageContext } from '../types.js';
import { Checkpoints } from './checkpoints/checkpoints.js';
import { resolveBase } from './checkpoints/remembered.js';
import type { Alert } from './guard/alerts.js';
import { Webhook } from './guard/webhook.js';
import { buildServer, listen, tryAddress } from './http/server.js';
import { ImpressionLog } from './impressions/log.js';
import type { QualityReport } from './prequential.js';
import { finishErasures } from './privacy/disk.js';
import { openNames } from './privacy/pseudonym-key.js';
import type { UserNames } from './privacy/pseudonyms.js';
import { renamedCatalogue } from './privacy/renamed.js';
import { readyService } from './ready-service.js';
import { Generations } from './rebuild/generations.js';
import { checkExposure } from './security/security.js';
import type { ServeOptions } from './serve-options.js';
import { writeServed } from './snapshot.js';
import { impressionsPath, refuseOutput, snapshotPath } from './state-directory.js';

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
  await refuseOutput(options.state);
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
      ready: (opening) => readyService(options, { names, webhook, impressions }, opening),
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
