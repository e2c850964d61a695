import { nameOf } from '../evaluation/cold/evaluate.js';
import type { ColdResults, ColdRow } from '../evaluation/cold/results.js';
import type { PlotSpec } from '../report/plot.js';
import type { ReportContent } from '../report/report.js';
import { type Cell, type Column, renderTable, type Table } from '../report/table.js';
import { differenceText } from './difference-text.js';

const METRICS = {
  rating: [
    { name: 'mae', better: 'lower' },
    { name: 'ndcg@1', better: 'higher' },
    { name: 'ndcg@3', better: 'higher' },
    { name: 'ndcg_linear@1', better: 'higher' },
    { name: 'ndcg_linear@3', better: 'higher' },
  ],
  ranking: [
    { name: 'ndcg@10', better: 'higher' },
    { name: 'ndcg@1', better: 'higher' },
    { name: 'ndcg@3', better: 'higher' },
    { name: 'ndcg@5', better: 'higher' },
    { name: 'hr@10', better: 'higher' },
  ],
} as const satisfies Record<string, readonly Column[]>;

/** The two that are shown where there is room for no more; the first one leads. */
export const LEADING = {
  rating: [METRICS.rating[0], METRICS.rating[2]],
  ranking: [METRICS.ranking[0], METRICS.ranking[4]],
} as const;

/** All scenarios one under the other; published rows stand under the scenario they belong to. */
export function coldTable({ scenarios, published, protocol }: ColdResults): Table {
  const metricsShown = METRICS[protocol.task];
  const columns: (Column | string)[] = ['scenario', 'model', 'given', ...metricsShown];
  const rows: Cell[][] = [];
  const aside: number[] = [];
  for (const { rows: measured, ...scenario } of scenarios) {
    for (const { name, support, metrics } of measured)
      rows.push([
        nameOf(scenario),
        name,
        String(support),
        ...metricsShown.map(({ name: metric }): Cell => {
          const { mean, low, high } = metrics[metric]!;
          return { value: mean, low, high };
        }),
      ]);
    for (const one of published) {
      if (one.users !== scenario.users || one.items !== scenario.items) continue;
      aside.push(rows.length);
      rows.push([
        nameOf(scenario),
        `${one.name} (published)`,
        'all',
        ...metricsShown.map(({ name }) => one.metrics[name] ?? null),
      ]);
    }
  }
  return { columns, rows, aside };
}

function remarks(results: ColdResults): string[] {
  const { reference, scenarios, adaptation, published } = results;
  const leading = LEADING[results.protocol.task][0].name;
  const lines = scenarios.map((s) => `${nameOf(s)}: ${s.tasks} users`);
  for (const scenario of scenarios)
    for (const { name, support, difference } of scenario.rows) {
      const found = difference?.[leading];
      if (!found || reference === undefined) continue;
      lines.push(
        `${nameOf(scenario)}, ${support} given: ${name} − ${reference}: ${leading} ${differenceText(found)}`,
      );
    }
  for (const { name, state, p50, p99 } of adaptation)
    lines.push(
      `${name}: adapts to a user in ${p50.toFixed(2)} ms (99 % within ${p99.toFixed(2)}), to ${state} numbers`,
    );
  for (const { name, source } of new Map(published.map((one) => [one.name, one])).values())
    lines.push(`${name} (published): ${source}`);
  return lines;
}

/** What a person reads on the terminal. */
export function coldText(results: ColdResults): string {
  return [renderTable(coldTable(results)), '', ...remarks(results).map((line) => `  ${line}`)].join('\n');
}

export function coldReport(results: ColdResults): ReportContent {
  return {
    title: `Cold start on ${results.dataset.name}`,
    description: described(results.protocol),
    comparison: coldTable(results),
    comparisonNote: remarks(results).join(' · '),
    plots: curves(results),
    config: results.protocol,
  };
}

function described({ query, after, least, most }: ColdResults['protocol']): string {
  const users = `Users with ${Math.max(least, (after ?? 0) + 1)} to ${most} events in a scenario; `;
  const asked =
    after === undefined
      ? `${query} of them, at random, are asked about, of the others as many are given as the table says.`
      : `those after the first ${after} are asked about, of the first ones as many are given as the table says.`;
  return `${users}${asked} 95 % intervals over users.`;
}

/** Quality after k events, one line a model, a plot a scenario; none where only one number of events is given. */
function curves({ scenarios, protocol }: ColdResults): PlotSpec[] {
  const leading = LEADING[protocol.task][0].name;
  const order = (support: ColdRow['support']): number =>
    support === 'all' ? Number.POSITIVE_INFINITY : support;
  return scenarios.flatMap(({ rows, ...scenario }) => {
    const supports = [...new Set(rows.map(({ support }) => support))].sort((a, b) => order(a) - order(b));
    if (supports.length < 2) return [];
    const values = rows.map(({ name, support, metrics }) => ({
      name,
      given: String(support),
      ...metrics[leading]!,
    }));
    return [
      {
        title: `${leading} after k events: ${nameOf(scenario)}`,
        data: { values },
        mark: { type: 'line', point: true },
        encoding: {
          x: { field: 'given', type: 'ordinal', sort: supports.map(String), title: 'events given' },
          y: { field: 'mean', type: 'quantitative', scale: { zero: false }, title: leading },
          color: { field: 'name', type: 'nominal', legend: { title: null } },
        },
      },
    ];
  });
}
