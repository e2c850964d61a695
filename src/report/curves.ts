import type { MetricsRow } from './metrics-log.js';
import type { PlotSpec } from './plot.js';

/** One picture: measures that share a unit, over the epochs. */
export interface CurveGroup {
  readonly title: string;
  readonly names: readonly string[];
}

/** Columns that place a row rather than measure something. */
export const POSITION: ReadonlySet<string> = new Set(['epoch', 'step', 'seconds', 'time', 'events']);

function groupOf(name: string): string {
  const plain = name.toLowerCase();
  if (/loss|nll|crossentropy/.test(plain)) return 'Loss';
  if (/accuracy|majority/.test(plain)) return 'Accuracy';
  if (/rmse|mae/.test(plain)) return 'Error';
  if (/learningrate|^lr$/.test(plain)) return 'Learning rate';
  const cut = plain.split('@')[0]!.split(/[./]/).at(-1)!;
  return /^(hr|ndcg|mrr|map|auc)$/.test(cut) ? cut.toUpperCase() : cut.charAt(0).toUpperCase() + cut.slice(1);
}

/** Which measures are drawn together: losses, accuracies, and each ranking metric at its several k. */
export function groupCurves(history: readonly MetricsRow[]): CurveGroup[] {
  const names = [...new Set(history.flatMap((row) => Object.keys(row)))].filter(
    (name) => !POSITION.has(name),
  );
  const groups = new Map<string, string[]>();
  for (const name of names) {
    if (!history.some((row) => Number.isFinite(row[name]))) continue;
    const title = groupOf(name);
    groups.set(title, [...(groups.get(title) ?? []), name]);
  }
  return [...groups].map(([title, members]) => ({ title, names: members }));
}

/** The plot of a group: a line a measure, a dot an epoch where there are few. */
export function curveSpec(group: CurveGroup, history: readonly MetricsRow[]): PlotSpec {
  const x = history.some((row) => row.epoch !== undefined) ? 'epoch' : 'step';
  const values = history.flatMap((row, index) =>
    group.names.flatMap((name) =>
      Number.isFinite(row[name]) ? [{ x: row[x] ?? index + 1, name, value: row[name] }] : [],
    ),
  );
  // No more ticks than whole steps: between them a tick would carry its neighbour's label.
  const steps = (values.at(-1)?.x ?? 0) - (values[0]?.x ?? 0);
  const ticks = Math.min(10, Math.max(1, steps));
  return {
    title: group.title,
    width: 440,
    height: 270,
    data: { values },
    mark: {
      type: 'line',
      point: history.length <= 60 ? { size: 24, filled: true } : false,
      interpolate: 'linear',
    },
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        title: x,
        axis: { tickCount: ticks, format: 'd' },
        scale: { zero: false, nice: false },
      },
      y: {
        field: 'value',
        type: 'quantitative',
        title: null,
        scale: { zero: false },
        axis: { tickCount: 5 },
      },
      color: {
        field: 'name',
        type: 'nominal',
        sort: [...group.names],
        legend: group.names.length > 1 ? {} : null,
      },
    },
  };
}
