import { RecsysError, remedyFor } from '../../errors.js';
import type { CommonFlags, Invocation, StageResult, StageRun } from '../stage.js';
import { identify } from './identity.js';
import type { PlannedStage } from './plan.js';
import { changed, type Inputs, readRecord, type StageRecord, writeRecord } from './record.js';

/** What became of one stage. */
export interface StageOutcome {
  readonly id: string;
  readonly stage: string;
  readonly skipped: boolean;
  readonly result: StageResult;
}

export interface Choice {
  readonly version: string;
  readonly force: boolean;
  readonly only: string | undefined;
  readonly from: string | undefined;
}

type Run = Pick<StageRun<unknown>, 'progress' | 'log' | 'signal' | 'flags'> & {
  readonly invocation: Invocation;
};

/**
 * Runs planned stages in order. A stage whose settings and inputs are those of its last run is skipped; one that was
 * interrupted is continued.
 *
 * @throws RecsysError of the stage that failed, which it names; INTERRUPTED between stages
 */
export async function executePlan(
  plan: readonly PlannedStage[],
  out: string,
  choice: Choice,
  run: Run,
): Promise<StageOutcome[]> {
  const outcomes: StageOutcome[] = [];
  let forced = choice.force;
  for (const planned of plan) {
    const { id, stage } = planned;
    if (choice.only !== undefined && choice.only !== id) continue;
    if (run.signal.aborted) throw interrupted(`before stage "${id}"`);
    forced ||= choice.from === id;
    const inputs = await inputsOf(planned, choice.version);
    const record = await readRecord(out, id);
    const reason = forced ? 'asked for' : await staleReason(record, inputs);
    if (reason === undefined && record?.result !== undefined) {
      run.log('info', `${id}: up to date, skipped`);
      outcomes.push({ id, stage: stage.name, skipped: true, result: record.result as StageResult });
      continue;
    }
    run.log('info', `${id}: ${reason}`);
    const resume = record?.state === 'running' && changed(record.inputs, inputs) === undefined;
    // Only what this pipeline wrote is replaced unasked.
    const force = run.flags.force || record !== undefined;
    await writeRecord(out, id, { state: 'running', inputs, output: null });
    const result = await runStage(planned, { ...run.flags, out: planned.out, resume, force }, run);
    await writeRecord(out, id, {
      state: 'done',
      inputs,
      output: await outputIdentity(result),
      result: withoutText(result),
    });
    outcomes.push({ id, stage: stage.name, skipped: false, result });
  }
  return outcomes;
}

async function inputsOf(planned: PlannedStage, version: string): Promise<Inputs> {
  const paths: Record<string, string | null> = {};
  for (const { key, file } of planned.paths) paths[key] = (await identify(file)) ?? null;
  return { version, stage: planned.stage.name, config: planned.config, paths };
}

async function staleReason(record: StageRecord | undefined, inputs: Inputs): Promise<string | undefined> {
  if (record === undefined) return 'not run yet';
  const difference = changed(record.inputs, inputs);
  if (record.state === 'running')
    return difference === undefined ? 'did not finish, continuing' : `did not finish; ${difference}`;
  if (difference !== undefined) return difference;
  const path = record.result?.path;
  if (path !== undefined && (await identify(path)) !== record.output)
    return 'its output was changed or removed';
  return undefined;
}

async function outputIdentity(result: StageResult): Promise<string | null> {
  return result.path === undefined ? null : ((await identify(result.path)) ?? null);
}

function withoutText(result: StageResult): StageRecord['result'] {
  const { text: _, ...rest } = result;
  return JSON.parse(JSON.stringify(rest)) as StageRecord['result'];
}

async function runStage(planned: PlannedStage, flags: CommonFlags, run: Run): Promise<StageResult> {
  const { id, stage, config } = planned;
  try {
    return await stage.run({
      config,
      flags,
      invocation: { ...run.invocation, sets: [], configFile: undefined },
      signal: run.signal,
      progress: (event) => run.progress({ ...event, task: `${id}: ${event.task}` }),
      log: (level, message, fields) => run.log(level, message, { stage: id, ...fields }),
    });
  } catch (error) {
    if (
      run.signal.aborted &&
      error instanceof Error &&
      (error.name === 'AbortError' || isInterrupted(error))
    ) {
      throw interrupted(`in stage "${id}" (${stage.name})`, error);
    }
    if (error instanceof RecsysError) {
      throw new RecsysError(error.code, `stage "${id}" (${stage.name}): ${error.message}`, {
        remedy: remedyFor(error.remedy, stage.name),
        cause: error,
      });
    }
    run.log('warn', `stage "${id}" (${stage.name}) failed`);
    throw error;
  }
}

const isInterrupted = (error: Error): boolean => error instanceof RecsysError && error.code === 'INTERRUPTED';

function interrupted(where: string, cause?: unknown): RecsysError {
  return new RecsysError('INTERRUPTED', `interrupted ${where}`, {
    remedy: 'Run the same command again: finished stages are skipped, and an interrupted one is continued.',
    cause,
  });
}
