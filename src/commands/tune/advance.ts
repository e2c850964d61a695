import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { RecsysError } from '../../errors.js';
import { readMetrics } from '../../report/metrics-log.js';
import { kindOf } from '../../storage/disk.js';
import { identify } from '../pipeline/identity.js';
import type { Inputs } from '../pipeline/record.js';
import { runChild } from './child.js';
import { type Places, type TrialRecord, writeTrialRecord } from './record.js';
import type { Row } from './score.js';
import type { Standing } from './standing.js';

/** What it takes to train a trial. */
export interface Job {
  readonly stage: string;
  readonly inputs: Inputs;
  readonly places: Places;
  readonly cwd: string;
  readonly signal: AbortSignal;
  onEpoch(row: Row): void;
}

/**
 * Trains a trial until it has `epochs`, or to its end; does nothing where it has come that far.
 *
 * A trial that is stopped at a rung is one that was interrupted: it has the settings of the whole run, leaves its
 * `.partial`, and goes on from it with `--resume`. So the last survivor is, bit for bit, a run that was never stopped.
 *
 * @throws RecsysError INTERRUPTED once `signal` is aborted
 */
export async function advance(job: Job, standing: Standing, epochs: number): Promise<Standing> {
  const { places, inputs, signal } = job;
  const reached = (rows: readonly Row[]): boolean => (rows.at(-1)?.epoch ?? 0) >= epochs;
  if (standing.state !== 'open' || reached(standing.rows)) return standing;
  if (signal.aborted) throw interrupted(signal);
  const note = (state: TrialRecord['state'], output: string | null, seconds: number) =>
    writeTrialRecord(places.record, { state, inputs, output, seconds });

  await writeFile(places.config, stringify(inputs.config, { compat: 'yaml-1.1' }));
  await note('running', null, standing.seconds);
  const started = performance.now();
  const flags = ['--config', places.config, '--out', places.dir, '--resume', '--json', '--log-level', 'info'];
  const { error } = await runChild([job.stage, ...flags], {
    cwd: job.cwd,
    log: places.log,
    signal,
    onEpoch(row) {
      job.onEpoch(row);
      return row.epoch! >= epochs;
    },
  });
  const seconds = standing.seconds + (performance.now() - started) / 1000;

  // What lies on the disk counts, not how the process ended: it may have been done, or gone too far, before it was stopped.
  if ((await kindOf(places.dir)) === 'directory') {
    await note('done', (await identify(places.dir)) ?? null, seconds);
    return { state: 'done', rows: await readMetrics(join(places.dir, 'metrics.jsonl')), seconds };
  }
  const rows = await readMetrics(join(places.partial, 'metrics.jsonl'));
  if (reached(rows)) {
    await note('open', null, seconds);
    return { state: 'open', rows, seconds };
  }
  if (signal.aborted) {
    await note('open', null, seconds);
    throw interrupted(signal);
  }
  await note('failed', null, seconds);
  return {
    state: 'failed',
    rows,
    seconds,
    error: error ?? { code: 'INTERNAL', message: 'no checkpoint was written' },
  };
}

const interrupted = (signal: AbortSignal): RecsysError =>
  new RecsysError('INTERRUPTED', 'the search was interrupted', { cause: signal.reason });
