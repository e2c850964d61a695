import { RecsysError } from '../../errors.js';
import { hint } from '../../nearest.js';
import { formatMetric } from '../../report/format.js';
import { clearSnapshots } from '../../storage/snapshot.js';
import type { StageRun } from '../stage.js';
import { version } from '../version.js';
import { advance } from './advance.js';
import { type Entry, enter } from './entry.js';
import type { Trial } from './plan.js';
import { race } from './race.js';
import { type Results, resultsOf, writeResults } from './results.js';
import type { Rung } from './rungs.js';
import { type Row, scoreOf, validationMetrics } from './score.js';
import type { Search } from './settings.js';
import type { Standing } from './standing.js';

/** A search ready to run. */
export interface Order {
  readonly search: Search;
  readonly trials: readonly Trial[];
  readonly rungs: readonly Rung[];
  readonly out: string;
}
type Run = Pick<StageRun<unknown>, 'progress' | 'log' | 'signal' | 'flags' | 'invocation'>;

/**
 * Trains the trials, going on from what earlier runs left in `out`, and writes `results.json` after each.
 * @throws RecsysError INTERRUPTED; CONFIG_INVALID for a metric that the trials do not give
 */
export async function conduct({ search, trials, rungs, out }: Order, run: Run): Promise<Results> {
  const { config } = search;
  const entries: Entry[] = [];
  for (const trial of trials) entries.push(await enter(trial, search, out, run));

  let written = Promise.resolve();
  const save = (): Promise<void> => {
    written = written.then(() => writeResults(out, resultsOf(entries, config, version())));
    return written;
  };
  await save();

  // What is wrong with one trial's metric is wrong with all: it stops those beside it too.
  const halt = new AbortController();
  const signal = AbortSignal.any([run.signal, halt.signal]);
  const total = rungs.reduce((sum, rung) => sum + rung.trials, 0);
  let done = 0;
  const train = async (entry: Entry, epochs: number): Promise<Standing> => {
    const { number: trial, inputs, places } = entry;
    const job = {
      stage: config.stage,
      inputs,
      places,
      cwd: run.invocation.cwd,
      signal,
      onEpoch(row: Row) {
        const error = missingMetric(search, [row], false);
        if (error !== undefined) halt.abort(error);
        const value = row[config.metric];
        const fields = {
          trial,
          epoch: row.epoch!,
          ...(value === undefined ? {} : { [config.metric]: value }),
        };
        run.progress({ task: 'tune', done, total, fields });
      },
    };
    const standing = await advance(job, entry.standing, epochs);
    const error = missingMetric(search, standing.rows, standing.state === 'done');
    if (error !== undefined) throw error;
    report(run, entry, standing, epochs);
    entry.standing = standing;
    await save();
    run.progress({ task: 'tune', done: ++done, total });
    return standing;
  };
  try {
    await race(
      entries,
      rungs,
      config.parallel,
      (entry, epochs) =>
        train(entry, epochs).catch((error: unknown) => {
          halt.abort(error);
          throw error;
        }),
      ({ places }) => clearSnapshots(places.partial),
    );
  } catch (error) {
    const first: unknown = halt.signal.reason ?? error;
    throw first instanceof RecsysError && first.code === 'INTERRUPTED' ? interrupted(entries, first) : first;
  }
  await save();
  return resultsOf(entries, config, version());
}

function report(
  run: Run,
  { number, goal, values, standing: before }: Entry,
  now: Standing,
  epochs: number,
): void {
  const score = scoreOf(now.rows, goal, epochs);
  const reached =
    score === undefined ? 'no score' : `${goal.metric} ${formatMetric(score.value)} at epoch ${score.epoch}`;
  if (now.state === 'failed') run.log('warn', `trial ${number} failed: ${now.error?.message}`, { values });
  else run.log('info', `trial ${number}: ${reached}${now === before ? ' (kept)' : ''}`, { values });
}

/** `ended`: a whole run without any validation gives no metric at all. */
function missingMetric(search: Search, rows: readonly Row[], ended: boolean): RecsysError | undefined {
  const { metric } = search.config;
  const known = [...new Set(rows.flatMap(validationMetrics))];
  if (known.includes(metric) || (known.length === 0 && !ended)) return undefined;
  const what =
    known.length === 0
      ? 'the trials are not validated: no validation row of the dataset is a target'
      : `"${metric}" is no validation metric of the trials${hint(metric, known)}`;
  return new RecsysError('CONFIG_INVALID', `${search.where(['metric'], 'value')}: metric: ${what}`, {
    remedy: 'Name a metric that the stage computes on the validation rows; the trials are kept.',
  });
}

function interrupted(entries: readonly Entry[], cause: RecsysError): RecsysError {
  const done = entries.filter(({ standing }) => standing.state === 'done').length;
  return new RecsysError('INTERRUPTED', `interrupted with ${done} of ${entries.length} trials trained`, {
    remedy: 'Run the same command again: finished trials are kept, and the others go on where they were.',
    cause,
  });
}
