import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatMetric } from '../../report/format.js';
import { writeFileAtomic } from '../../storage/atomic.js';
import { kindOf } from '../../storage/disk.js';
import { textTable } from '../table.js';
import type { TrialError } from './child.js';
import type { Entry } from './entry.js';
import { worth } from './race.js';
import type { TuneConfig } from './schema.js';
import { byScore } from './score.js';
import type { Values } from './space.js';

/** A trial in `results.json`. */
export interface TrialResult {
  readonly trial: number;
  readonly values: Values;
  /** `dropped`: left behind at a rung; `open`: still to be trained. */
  readonly status: 'done' | 'dropped' | 'failed' | 'open';
  /** The metric in the epoch whose weights are kept, and that epoch; null where there is none. */
  readonly value: number | null;
  readonly epoch: number | null;
  /** Epochs trained that count. */
  readonly epochs: number;
  readonly seconds: number;
  readonly history: readonly { readonly epoch: number; readonly value: number }[];
  /** The checkpoint's folder, relative to the search's. */
  readonly checkpoint: string | null;
  readonly error?: TrialError;
}

/** `results.json` */
export interface Results {
  readonly kind: 'search';
  readonly version: string;
  readonly stage: string;
  readonly method: string;
  readonly metric: string;
  readonly seed: number;
  /** Number of the best trial; null as long as none is done. */
  readonly best: number | null;
  readonly trials: readonly TrialResult[];
}

export function resultsOf(entries: readonly Entry[], config: TuneConfig, version: string): Results {
  const { stage, method, metric, seed } = config;
  const done = entries.filter(({ standing, dropped }) => standing.state === 'done' && dropped === undefined);
  const order = byScore(metric);
  const best = done.toSorted((a, b) => order(worth(a), worth(b)))[0];
  return {
    kind: 'search',
    version,
    stage,
    method,
    metric,
    seed,
    best: best === undefined || worth(best) === undefined ? null : best.number,
    trials: entries.map((one) => resultOf(one, metric)),
  };
}

function resultOf(entry: Entry, metric: string): TrialResult {
  const { number, values, standing, dropped } = entry;
  const { state, seconds, error } = standing;
  const status = state === 'failed' || dropped === undefined ? state : 'dropped';
  const rows = standing.rows.filter((row) => row.epoch! <= (dropped ?? Number.POSITIVE_INFINITY));
  const score = worth(entry);
  return {
    trial: number,
    values,
    status,
    value: score?.value ?? null,
    epoch: score?.epoch ?? null,
    epochs: rows.at(-1)?.epoch ?? 0,
    seconds: Number(seconds.toFixed(1)),
    history: rows.flatMap((row) => {
      const value = row[metric];
      return value === undefined ? [] : [{ epoch: row.epoch!, value }];
    }),
    checkpoint: status === 'done' ? `trials/${number}` : null,
    ...(error === undefined ? {} : { error }),
  };
}

const FILE = 'results.json';

export async function writeResults(out: string, results: Results): Promise<void> {
  await writeFileAtomic(join(out, FILE), `${JSON.stringify(results, null, 1)}\n`);
}

/** Whether a folder is one of a search, or free to become one. */
export async function isSearch(out: string, names: readonly string[]): Promise<boolean> {
  if (names.length === 0) return true;
  if ((await kindOf(join(out, FILE))) !== 'file') return false;
  try {
    return (JSON.parse(await readFile(join(out, FILE), 'utf8')) as { kind?: unknown }).kind === 'search';
  } catch {
    return false;
  }
}

/** The trials as people read them, the best first. */
export function resultsTable(results: Results): string {
  const order = byScore(results.metric);
  const score = ({ value, epoch }: TrialResult) =>
    value === null || epoch === null ? undefined : { value, epoch };
  const ranks = { done: 0, open: 1, dropped: 2, failed: 3 };
  const trials = results.trials.toSorted(
    (a, b) => ranks[a.status] - ranks[b.status] || order(score(a), score(b)),
  );
  const keys = Object.keys(results.trials[0]?.values ?? {});
  const header = ['trial', results.metric, 'epoch', 'of', 'seconds', 'status', ...keys];
  return textTable(
    header,
    trials.map((one) => [
      String(one.trial),
      one.value === null ? '–' : formatMetric(one.value),
      String(one.epoch ?? '–'),
      String(one.epochs),
      one.seconds.toFixed(1),
      one.status,
      ...keys.map((key) => show(one.values[key])),
    ]),
  );
}

/** A value of a trial, on one line. */
function show(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : JSON.stringify(value);
}
