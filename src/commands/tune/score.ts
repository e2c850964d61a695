/** A row of metrics.jsonl. */
export type Row = Readonly<Record<string, number>>;

/** How trials are compared. */
export interface Goal {
  readonly metric: string;
  /** The stage's `validation.metric`: it decides which epoch's weights are kept. */
  readonly watched: string;
}

export interface Score {
  readonly value: number;
  readonly epoch: number;
}

/** Losses and errors are minimised, everything else is maximised: the rule of early stopping. */
export const lowerIsBetter = (metric: string): boolean => /^[^/]*(loss|rmse|mae)/.test(metric);

/** Columns of every row; the others are validation metrics. */
const BOOKKEEPING = new Set(['epoch', 'step', 'loss', 'learningRate']);

export const validationMetrics = (row: Row): string[] =>
  Object.keys(row).filter((key) => !BOOKKEEPING.has(key));

/**
 * What a trial is worth after so many epochs: the metric in the epoch whose weights training keeps.
 * @returns undefined where no epoch up to then was validated, or the value is no number
 */
export function scoreOf(
  rows: readonly Row[],
  { metric, watched }: Goal,
  epochs = Number.POSITIVE_INFINITY,
): Score | undefined {
  const sign = lowerIsBetter(watched) ? -1 : 1;
  let kept: Row | undefined;
  for (const row of rows) {
    if (row.epoch! > epochs || validationMetrics(row).length === 0) continue;
    if (kept === undefined || sign * row[watched]! > sign * kept[watched]!) kept = row;
  }
  const value = kept?.[metric];
  if (kept === undefined || value === undefined || Number.isNaN(value)) return undefined;
  return { value, epoch: kept.epoch! };
}

/** Best first; trials without a score last, equal ones in their own order. */
export function byScore(metric: string): (a: Score | undefined, b: Score | undefined) => number {
  const sign = lowerIsBetter(metric) ? 1 : -1;
  return (a, b) => {
    if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
    return a.value === b.value ? 0 : sign * (a.value < b.value ? -1 : 1);
  };
}
