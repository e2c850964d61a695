import type { ReportContent } from '../report/report.js';
import { type Cell, type Column, renderTable, type Table } from '../report/table.js';
import type { Quantiles } from '../traffic/histogram.js';
import type { LoadResult } from '../traffic/load.js';
import type { LoadTestConfig } from '../traffic/schema.js';

const milliseconds = (name: string): Column => ({ name, format: 'milliseconds' });
const TIMES = ['p50', 'p90', 'p99', 'p99.9', 'max'] as const;
const timesOf = (quantiles: Quantiles): Cell[] => TIMES.map((name) => quantiles[name]);

/** Times of answers by route and status. */
function routesTable({ routes }: LoadResult): Table {
  return {
    columns: [
      'route',
      'status',
      { name: 'answers', format: 'count' },
      'a second',
      ...TIMES.map(milliseconds),
    ],
    rows: routes.map((row) => [
      row.route,
      row.status === 0 ? 'none' : String(row.status),
      ...[row.count, row.perSecond],
      ...timesOf(row),
    ]),
  };
}

/** How soon an event shows. */
function changedTable({ list, model }: NonNullable<LoadResult['events']>['changed']): Table {
  return {
    columns: ['from an event to', { name: 'probes', format: 'count' }, ...TIMES.map(milliseconds)],
    rows: [
      ['a list that follows from it', list.count, ...timesOf(list)],
      ['parameters that follow from it', model.count, ...timesOf(model)],
    ],
  };
}

function errorsTable({ errors }: LoadResult): Table {
  return { columns: ['error', { name: 'times', format: 'count' }], rows: Object.entries(errors) };
}

function remarks(result: LoadResult): string[] {
  const late = result.notBegun > 0 ? [`${result.notBegun} requests came too late to be begun`] : [];
  const events = result.events;
  if (events && events.notBegun > 0) late.push(`${events.notBegun} events came too late to be sent`);
  if (events && events.changed.unseen > 0) late.push(`${events.changed.unseen} probes did not show in time`);
  return late;
}

/** What the terminal shows. */
export function loadText(result: LoadResult): string {
  return [
    `${result.requestsPerSecond.toFixed(1)} requests/s answered, ${result.seconds.toFixed(1)} s`,
    ...remarks(result),
    '',
    renderTable(routesTable(result)),
    ...(result.events ? ['', renderTable(changedTable(result.events.changed))] : []),
    ...(Object.keys(result.errors).length > 0 ? ['', renderTable(errorsTable(result))] : []),
  ].join('\n');
}

/** One line a route: how long the slowest answers took, the rarer the further to the right. */
function curvePlot(curves: readonly { route: string; share: number; value: number }[]) {
  const values = curves
    .filter(({ share }) => share < 1)
    .map(({ route, share, value }) => ({ route, rarity: 1 / (1 - share), value }));
  return {
    title: 'Time of the slowest answers',
    data: { values },
    mark: { type: 'line', interpolate: 'step-before' },
    encoding: {
      x: {
        field: 'rarity',
        type: 'quantitative',
        scale: { type: 'log' },
        title: 'one answer of so many takes longer',
      },
      y: { field: 'value', type: 'quantitative', scale: { type: 'log' }, title: 'milliseconds' },
      color: { field: 'route', type: 'nominal' },
    },
  };
}

/** `report.html` of a load test. */
export function loadReport(
  result: LoadResult,
  curves: readonly { route: string; share: number; value: number }[],
  config: LoadTestConfig,
): ReportContent {
  const { rate, connections, to } = config;
  const how = rate === undefined ? 'each after an answer' : `${rate} begun a second`;
  const sentences = [
    `${to}: ${result.requestsPerSecond.toFixed(1)} requests a second were answered for ${result.seconds.toFixed(1)} s, over ${connections} connections, ${how}.`,
    ...remarks(result).map((text) => `${text}.`),
  ];
  return {
    title: 'Load test',
    description: sentences.join(' '),
    comparison: routesTable(result),
    comparisonNote:
      rate === undefined
        ? 'Times run from the sending of a request to the end of its answer.'
        : 'Times run from the moment at which a request was to begin to the end of its answer.',
    further: [
      ...(result.events
        ? [
            {
              title: 'From an event to what follows from it',
              note: 'Of a user never seen before: until the end of the first list that is no fallback, and until the learner had done what waited then, this event among it.',
              table: changedTable(result.events.changed),
            },
          ]
        : []),
      ...(Object.keys(result.errors).length > 0 ? [{ title: 'Errors', table: errorsTable(result) }] : []),
    ],
    plots: curves.length === 0 ? [] : [curvePlot(curves)],
    config,
  };
}
