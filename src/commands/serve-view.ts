import type { Alert } from '../online/guard/alerts.js';
import type { Interval } from '../online/intervals.js';
import type { ServeResult } from '../online/serve.js';
import { formatCount } from '../report/format.js';
import type { ReportContent } from '../report/report.js';
import type { Cell, Column, Table } from '../report/table.js';

type Quality = ServeResult['quality'];

const cell = ({ mean, low, high }: Interval): Cell =>
  Number.isFinite(low) ? { value: mean, low, high } : mean;

function armsTable({ k, arms }: Quality): Table {
  const columns: Column[] = [
    { name: 'arm' },
    { name: `ndcg@${k}`, better: 'higher' },
    { name: `hr@${k}`, better: 'higher' },
    { name: 'log-loss', better: 'lower' },
  ];
  return {
    columns,
    rows: arms.map(({ arm, ndcg, hr, logLoss }) => [arm, cell(ndcg), cell(hr), cell(logLoss)]),
  };
}

const differencesTable = ({ k, differences }: Quality): Table => ({
  columns: ['arm', 'minus', `ndcg@${k}`, 'log-loss'],
  rows: differences.map(({ arm, against, ndcg, logLoss }) => [arm, against, cell(ndcg), cell(logLoss)]),
});

const alertsTable = (alerts: readonly Alert[]): Table => ({
  columns: ['time', 'alert', 'message', { name: 'events since', format: 'count' }],
  rows: alerts.map(({ time, kind, message, count }) => [new Date(time).toISOString(), kind, message, count]),
});

/** `report.html` of a service that was stopped: what learning earned, and what the guard said. */
export function serveReport({ quality, alerts, metrics }: ServeResult, config: unknown): ReportContent {
  const { events, unknown, window } = quality;
  const ranked = `${formatCount(events)} events ranked before they were learned, ${formatCount(unknown)} of them on items that no model knew`;
  const differences = { title: 'What each kind of learning earns', table: differencesTable(quality) };
  const said = { title: 'Alerts', table: alertsTable(alerts) };
  return {
    title: 'Served',
    description: `${ranked}; ${formatCount(metrics.learned ?? 0)} learned since the base checkpoint.`,
    comparison: armsTable(quality),
    comparisonNote: `The last ${formatCount(Math.min(events, window))} events; intervals of 95 % over users.`,
    further: [...(quality.differences.length > 0 ? [differences] : []), ...(alerts.length > 0 ? [said] : [])],
    config,
  };
}
