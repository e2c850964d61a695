import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecsysError } from '../../errors.js';
import { readMetrics } from '../../report/metrics-log.js';
import { kindOf } from '../../storage/disk.js';
import { acquireLock } from '../../storage/lock.js';
import type { StageContext } from '../../types.js';
import { identify } from '../pipeline/identity.js';
import { changed, type Inputs } from '../pipeline/record.js';
import type { TrialError } from './child.js';
import { type Places, readTrialRecord } from './record.js';
import type { Row } from './score.js';

/** How far a trial has come. */
export interface Standing {
  /** `open`: not trained to its end yet, begun or not. */
  readonly state: 'open' | 'done' | 'failed';
  /** Its epochs so far. */
  readonly rows: readonly Row[];
  readonly seconds: number;
  readonly error?: TrialError | undefined;
}

export const UNBEGUN: Standing = { state: 'open', rows: [], seconds: 0 };

/** Milliseconds between looks at a process that is about to end. */
const LOOK = 100;

/**
 * What earlier runs of the search left of a trial. A trial with other settings or inputs, or whose checkpoint was changed,
 * is cleared away; one that failed may be tried again.
 */
export async function standingOf(
  places: Places,
  inputs: Inputs,
  afresh: boolean,
  context: Pick<StageContext, 'log' | 'signal'>,
): Promise<Standing> {
  const record = await readTrialRecord(places.record);
  if (record?.state === 'running') await released(places, context);
  const reason = afresh || record === undefined ? 'no trial to go on with' : changed(record.inputs, inputs);
  const finished = (await kindOf(places.dir)) === 'directory';
  const altered = record?.state === 'done' && (await identify(places.dir)) !== record.output;
  const rows = await readMetrics(join(finished ? places.dir : places.partial, 'metrics.jsonl'));
  if (record === undefined || reason !== undefined || altered || (finished && rows.length === 0)) {
    await clear(places);
    return UNBEGUN;
  }
  return { state: finished ? 'done' : 'open', rows, seconds: record.seconds };
}

/** Waits until the process of a search that was killed has stopped too. */
async function released(
  places: Places,
  { log, signal }: Pick<StageContext, 'log' | 'signal'>,
): Promise<void> {
  for (let looks = 0; ; looks++) {
    try {
      await (await acquireLock(`${places.dir}.lock`, places.dir)).release();
      return;
    } catch (error) {
      if (!(error instanceof RecsysError) || error.code !== 'OUTPUT_BUSY') throw error;
      if (looks === 0) log('info', `waiting: ${error.message}`);
      await sleep(LOOK, undefined, { signal });
    }
  }
}

async function clear(places: Places): Promise<void> {
  for (const path of [places.record, places.dir, places.partial, places.log])
    await rm(path, { recursive: true, force: true });
}
