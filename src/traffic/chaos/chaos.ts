import { cp, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RecsysClient } from '../../client/index.js';
import { RecsysError } from '../../errors.js';
import { readCheckpoint } from '../../storage/checkpoint.js';
import { kindOf } from '../../storage/disk.js';
import { acquireLock } from '../../storage/lock.js';
import type { StageContext } from '../../types.js';
import { type ServedResult, ServiceChild } from './child.js';
import type { ChaosConfig, StormConfig } from './schema.js';
import { caughtUp, type Storm, storm } from './storm.js';
import { compareStates, examineJournal, type JournalFindings, type StateFindings } from './verdict.js';

/** What came of a storm. */
export interface ChaosResult {
  readonly whole: boolean;
  readonly kills: Storm['kills'];
  readonly unreached: Storm['unreached'];
  readonly acknowledged: number;
  readonly retries: number;
  readonly renumbered: readonly string[];
  readonly startups: readonly number[];
  readonly seconds: number;
  readonly journal: JournalFindings;
  /** Events learned since the base: by the service that was killed, and by the one that only replayed its journal. */
  readonly learned: { readonly killed: number; readonly replayed: number };
  readonly state: StateFindings;
}

/**
 * Kills a service of our own again and again while events come, and then looks whether anything is missing: each acknowledged event is to be in
 * the journal once and in one update, and a service that was never killed is to become the same, bit by bit, from that journal alone.
 * @param dir where the states and the service's log are written
 */
export async function chaos(
  config: StormConfig,
  dir: string,
  program: readonly string[],
  run: string,
  context: StageContext,
): Promise<ChaosResult> {
  const { catalogue } = await readCheckpoint(config.model);
  const [state, reference] = [join(dir, 'state'), join(dir, 'reference')];
  await mkdir(reference, { recursive: true });
  if (config.state !== undefined) await copyState(config.state, state, reference);
  const options = {
    program,
    flags: flagsOf(config),
    log: join(dir, 'service.log'),
    readyFile: join(dir, 'ready.json'),
  };
  const stormy = await storm({ ...options, state }, catalogue, config, run, context);
  const journal = await examineJournal(join(state, 'journal'), stormy.acknowledged, run);
  context.log('info', 'replaying the journal in a service that is not killed', { events: journal.events });
  await cp(join(state, 'journal'), join(reference, 'journal'), { recursive: true });
  const replayed = await replayAlone({ ...options, state: reference }, config, context);
  const findings = await compareStates(stormy.served.path, replayed.path);
  const learned = { killed: stormy.served.metrics.learned, replayed: replayed.metrics.learned };
  const { lost, repeated, moved, unacknowledged, unlearned, emptyUpdates, lostRecords } = journal;
  const { unreached } = stormy;
  const events = [lost, repeated, moved, unacknowledged, unlearned, stormy.renumbered];
  const wrong: readonly (readonly unknown[])[] = [...events, findings.different, unreached];
  const { kills, retries, renumbered, startups, seconds, acknowledged } = stormy;
  return {
    whole:
      wrong.every(({ length }) => length === 0) &&
      emptyUpdates + lostRecords === 0 &&
      learned.killed === learned.replayed,
    ...{ kills, unreached, retries, renumbered, startups, seconds, acknowledged: acknowledged.size },
    ...{ journal, learned, state: findings },
  };
}

/** Copies a state directory, and its snapshot for the service that only replays: what the journal no longer holds is in it. */
async function copyState(from: string, state: string, reference: string): Promise<void> {
  if ((await kindOf(from)) !== 'directory')
    throw new RecsysError('FILE_MISSING', `there is no state directory ${from}`);
  const lock = await acquireLock(join(from, 'lock'), from);
  try {
    const filter = (path: string): boolean => !basename(path).startsWith('lock');
    await cp(from, state, { recursive: true, filter });
    const snapshot = join(from, 'snapshot');
    if ((await kindOf(snapshot)) === 'directory')
      await cp(snapshot, join(reference, 'snapshot'), { recursive: true });
  } finally {
    await lock.release();
  }
}

async function replayAlone(
  options: Omit<Parameters<typeof ServiceChild.start>[0], 'port'>,
  config: StormConfig,
  { signal }: StageContext,
): Promise<ServedResult> {
  const child = await ServiceChild.start({ ...options, port: 0 });
  try {
    // A whole journal takes longer than what follows a snapshot.
    const url = await child.ready(config.startup * 10_000, signal);
    if (url === undefined)
      throw new RecsysError('SERVICE', 'the service that replays the journal ended by itself');
    const client = new RecsysClient({ url, apiKey: config.apiKey });
    await caughtUp(client, signal).finally(() => client.close());
    return await child.stop();
  } finally {
    await child.kill();
  }
}

function flagsOf({ model, data, service, backend, seed }: ChaosConfig): string[] {
  return [
    ...(service === undefined ? [] : ['--config', service]),
    ...['--model', model, '--seed', String(seed), '--host', '127.0.0.1'],
    ...(data === undefined ? [] : ['--data', data]),
    ...(backend === undefined ? [] : ['--backend', backend]),
  ];
}
