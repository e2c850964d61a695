import { impressionMetricNames } from '../evaluation/impressions.js';
import type { Protocol } from '../evaluation/protocol.js';
import type { ResultRow, Results } from '../evaluation/results.js';
import { describeProtocol, leadingK, leadingMetric } from '../evaluation/summary.js';
import { formatMetric } from '../report/format.js';
import type { ReportContent } from '../report/report.js';
import { type Cell, type Column, renderTable, type Table } from '../report/table.js';
import { ATTACK_NOTE, attackTable } from './attack-view.js';
import { differenceText } from './difference-text.js';
import { tradeOffs } from './trade-off.js';

/** The comparison: one row a contender; single-pair metrics only where they were computed. */
export function comparisonTable(results: Results): Table {
  const { protocol, rows } = results;
  const k = leadingK(protocol.ks);
  const ranking = rankingColumns(protocol);
  const interval = (row: ResultRow, metric: string): Cell => {
    const found = row.intervals[metric];
    return found ? { value: found.mean, low: found.low, high: found.high } : null;
  };
  const pairs = ['auc', 'logloss', 'accuracy', 'rmse', 'mae'].filter(
    (name) => !ranking.includes(name) && rows.some((row) => name in row.metrics),
  );
  const lists = protocol.impressions === undefined ? [`coverage@${k}`, `popularity@${k}`] : [];
  const lower = new Set(['logloss', 'rmse', 'mae']);
  const timed = rows.some((row) => row.milliseconds !== undefined);
  const columns: (Column | string)[] = [
    'model',
    ...ranking.map((name): Column => ({ name: name.replace(/^[a-z]+/, inCapitals), better: 'higher' })),
    ...pairs.map((name): Column => ({ name, better: lower.has(name) ? 'lower' : 'higher' })),
    ...lists,
    { name: 'parameters', format: 'count' },
    { name: 'size', format: 'bytes' },
    ...(timed ? [{ name: 'a request', format: 'milliseconds' } satisfies Column] : []),
  ];
  const published = results.published ?? [];
  const aside = [
    ...rows.flatMap(({ kind }, at) => (kind === 'external' ? [at] : [])),
    ...published.map((_, i) => rows.length + i),
  ];
  const measured = rows.map((row): Cell[] => [
    row.name,
    ...ranking.map((name, at) => (at === 0 ? interval(row, name) : (row.metrics[name] ?? null))),
    ...pairs.map((name) => row.metrics[name] ?? null),
    ...lists.map((name) => row.metrics[name] ?? null),
    row.kind === 'external' ? null : row.parameters,
    row.kind === 'external' ? null : row.bytes,
    ...(timed ? [row.milliseconds ?? null] : []),
  ]);
  const others = published.map(({ name, metrics }): Cell[] => {
    const figures = ranking.map((metric) => metrics[metric] ?? null);
    return [
      `${name} (published)`,
      ...figures,
      ...Array<null>(columns.length - 1 - figures.length).fill(null),
    ];
  });
  return { columns, aside, rows: [...measured, ...others] };
}

/** Names of the ranking metrics that are shown; the first one with its interval. */
function rankingColumns(protocol: Protocol): string[] {
  if (protocol.impressions !== undefined) return impressionMetricNames(protocol.ks);
  return ['ndcg', 'hr', 'mrr'].map((name) => leadingMetric(name, protocol));
}

const inCapitals = (name: string): string => name.toUpperCase();

/** Each row's quality at the task of each behaviour, with the number of its users; undefined where that was not asked for. */
export function behaviourTable({ protocol, rows }: Results): Table | undefined {
  const measured = rows.filter((row) => row.perBehaviour !== undefined);
  const tasks = Object.entries(measured[0]?.perBehaviour ?? {});
  if (tasks.length === 0) return undefined;
  const shown = (['ndcg', 'hr'] as const).map((name) => [name, leadingMetric(name, protocol)] as const);
  const columns = tasks.flatMap(([behaviour, { users }]) =>
    shown.map(([name, metric]): Column => {
      const of = name === 'ndcg' ? `${behaviour} (${users.toLocaleString('en-US')} users) ` : `${behaviour} `;
      return { name: of + metric.replace(name, name.toUpperCase()), better: 'higher' };
    }),
  );
  const cells = ({ perBehaviour = {} }: ResultRow): Cell[] =>
    tasks.flatMap(([behaviour]) =>
      shown.map(([name, metric]): Cell => {
        const found = perBehaviour[behaviour];
        const interval = name === 'ndcg' ? found?.intervals[metric] : undefined;
        return interval
          ? { value: interval.mean, low: interval.low, high: interval.high }
          : (found?.metrics[metric] ?? null);
      }),
    );
  return {
    columns: ['model', ...columns],
    aside: measured.flatMap(({ kind }, at) => (kind === 'external' ? [at] : [])),
    rows: measured.map((row) => [row.name, ...cells(row)]),
  };
}

/** Remarks below the table: differences, what was left out, what a reader must know of a row. */
function remarks(results: Results): string[] {
  const metric = leadingMetric('ndcg', results.protocol);
  const paired = results.protocol.impressions === undefined ? 'user' : 'impression';
  const lines: string[] = [];
  for (const { row, against, metrics } of results.differences) {
    const found = metrics[metric];
    if (found === undefined) continue;
    lines.push(`${row} − ${against}: ${metric} ${differenceText(found, paired)}`);
  }
  for (const { row, reference, quality, weights, bytes } of results.retention ?? []) {
    const shares = [
      ...(weights === undefined ? [] : [`${percent(weights)} of its weights beside the embeddings`]),
      `${percent(bytes)} of its bytes`,
    ];
    lines.push(
      `${row}: ${percent(quality.mean)} [${percent(quality.low)}, ${percent(quality.high)}] of ${reference}'s ${metric}, with ${shares.join(' and ')}`,
    );
  }
  for (const row of results.rows) {
    const settings = Object.entries(row.settings ?? {}).map(([name, value]) => `${name} ${value}`);
    const parts = [...settings, ...(row.note === undefined ? [] : [row.note])];
    if (parts.length > 0) lines.push(`${row.name}: ${parts.join(', ')}`);
  }
  const missed = results.rows[0]?.unreachable ?? 0;
  if (missed > 0) lines.push(`${missed} targets are no candidates: they count as misses for every row`);
  if (results.repeatedTargets !== undefined) {
    const share = `${(100 * results.repeatedTargets).toFixed(1)} %`;
    lines.push(
      `${share} of the targets are in their user's history: as other seen items are removed, these compete with unseen ones only and look too easy; evaluate repeats with filterSeen: false`,
    );
  }
  if (results.impressions) lines.push(...impressionLines(results.impressions));
  for (const { name, source } of results.published ?? []) lines.push(`${name} (published): ${source}`);
  for (const { name, reason } of results.skipped) lines.push(`${name} is left out: ${reason}`);
  if (results.labels) {
    lines.push(
      `labels: ${results.labels.count} pairs, the larger class is ${formatMetric(results.labels.majority)} of them`,
    );
  }
  if (results.ratings) {
    const { count, rmseOfMean, maeOfMean } = results.ratings;
    lines.push(
      `ratings: ${count} pairs; the train mean alone has RMSE ${formatMetric(rmseOfMean)}, MAE ${formatMetric(maeOfMean)}`,
    );
  }
  return lines;
}

function impressionLines({ shown, untrained, onlyClicked }: NonNullable<Results['impressions']>): string[] {
  return [
    `${percent(untrained / shown)} of the ${shown.toLocaleString('en-US')} items shown have no train row`,
    ...(onlyClicked > 0
      ? [`${onlyClicked} impressions are left out: all that they showed was clicked, and nothing competes`]
      : []),
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What a person reads on the terminal. */
export function evaluationText(results: Results): string {
  const note = `${results.dataset.name}: ${describeProtocol(results.protocol)}`;
  const attacks = attackTable(results);
  const behaviours = behaviourTable(results);
  return [
    renderTable(comparisonTable(results)),
    '',
    ...(behaviours ? [renderTable(behaviours), ''] : []),
    ...[note, ...remarks(results)].map((line) => `  ${line}`),
    ...(attacks ? ['', renderTable(attacks), '', `  ${ATTACK_NOTE}`] : []),
  ].join('\n');
}

export function evaluationReport(results: Results, protocol: Protocol): ReportContent {
  const metric = leadingMetric('ndcg', protocol);
  const attacks = attackTable(results);
  const behaviours = behaviourTable(results);
  const values = results.rows.map((row) => ({ name: row.name, kind: row.kind, ...row.intervals[metric] }));
  return {
    title: `Evaluation on ${results.dataset.name}`,
    description: describeProtocol(protocol),
    comparison: comparisonTable(results),
    comparisonNote: remarks(results).join(' · '),
    further: [
      ...(behaviours ? [{ title: 'By behaviour', table: behaviours }] : []),
      ...(attacks ? [{ title: 'Under attack', note: ATTACK_NOTE, table: attacks }] : []),
    ],
    plots: [
      {
        title: `${metric} with 95 % intervals`,
        width: 420,
        height: { step: 26 },
        data: { values },
        encoding: { y: { field: 'name', type: 'nominal', sort: null, title: null } },
        layer: [
          {
            mark: { type: 'rule', strokeWidth: 2 },
            encoding: { x: { field: 'low', type: 'quantitative', title: metric }, x2: { field: 'high' } },
          },
          {
            mark: { type: 'point', filled: true, size: 60 },
            encoding: {
              x: { field: 'mean', type: 'quantitative' },
              color: { field: 'kind', type: 'nominal', legend: { title: null } },
            },
          },
        ],
      },
      ...tradeOffs(results, metric),
    ],
    config: protocol,
  };
}
