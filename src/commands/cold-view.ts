import { nameOf } from '../evaluation/cold/evaluate.js';
import type { ColdResults, ColdRow } from '../evaluation/cold/results.js';
import type { PlotSpec } from '../report/plot.js';
import type { ReportContent } from '../report/report.js';
import { type Cell, type Column, renderTable, type Table } from '../report/table.js';
import { differenceText } from './difference-text.js';

const METRICS = [
  { name: 'mae', better: 'lower' },
  { name: 'ndcg@1', better: 'higher' },
  { name: 'ndcg@3', better: 'higher' },
  { name: 'ndcg_linear@1', better: 'higher' },
  { name: 'ndcg_linear@3', better: 'higher' },
] as const;

/** All scenarios one under the other; published rows stand under the scenario they belong to. */
export function coldTable({ scenarios, published }: ColdResults): Table {
  const columns: (Column | string)[] = [
    'scenario',
    'model',
    'given',
    ...METRICS.map(({ name, better }): Column => ({ name, better })),
  ];
  const rows: Cell[][] = [];
  const aside: number[] = [];
  for (const { rows: measured, ...scenario } of scenarios) {
    for (const { name, support, metrics } of measured)
      rows.push([
        nameOf(scenario),
        name,
        String(support),
        ...METRICS.map(({ name: metric }): Cell => {
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
        ...METRICS.map(({ name }) => one.metrics[name] ?? null),
      ]);
    }
  }
  return { columns, rows, aside };
}

function remarks(results: ColdResults): string[] {
  const { reference, scenarios, adaptation, published } = results;
  const lines = scenarios.map((s) => `${nameOf(s)}: ${s.tasks} users`);
  for (const scenario of scenarios)
    for (const { name, support, difference } of scenario.rows) {
      const found = difference?.mae;
      if (!found || reference === undefined) continue;
      lines.push(
        `${nameOf(scenario)}, ${support} given: ${name} − ${reference}: mae ${differenceText(found)}`,
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
  const { query, least, most } = results.protocol as { query: number; least: number; most: number };
  return {
    title: `Cold start on ${results.dataset.name}`,
    description: `Users with ${least} to ${most} events in a scenario; ${query} of them, at random, are asked about, of the others as many are given as the table says. 95 % intervals over users.`,
    comparison: coldTable(results),
    comparisonNote: remarks(results).join(' · '),
    plots: curves(results),
    config: results.protocol,
  };
}

/** Error after k events, one line a model, a plot a scenario; none where only one number of events is given. */
function curves({ scenarios }: ColdResults): PlotSpec[] {
  const order = (support: ColdRow['support']): number =>
    support === 'all' ? Number.POSITIVE_INFINITY : support;
  return scenarios.flatMap(({ rows, ...scenario }) => {
    const supports = [...new Set(rows.map(({ support }) => support))].sort((a, b) => order(a) - order(b));
    if (supports.length < 2) return [];
    const values = rows.map(({ name, support, metrics }) => ({
      name,
      given: String(support),
      ...metrics.mae!,
    }));
    return [
      {
        title: `mae after k events: ${nameOf(scenario)}`,
        data: { values },
        mark: { type: 'line', point: true },
        encoding: {
          x: { field: 'given', type: 'ordinal', sort: supports.map(String), title: 'events given' },
          y: { field: 'mean', type: 'quantitative', scale: { zero: false }, title: 'mae' },
          color: { field: 'name', type: 'nominal', legend: { title: null } },
        },
      },
    ];
  });
}
