import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attackTable } from '../../src/commands/attack-view.js';
import {
  behaviourTable,
  comparisonTable,
  evaluationReport,
  evaluationText,
} from '../../src/commands/evaluation-view.js';
import { EVALUATION_FORMAT, type Results, resultsSchema } from '../../src/evaluation/results.js';
import { drawPlot } from '../../src/report/plot.js';

const RESULTS: Results = {
  kind: 'evaluation',
  formatVersion: EVALUATION_FORMAT,
  dataset: { path: '/data', name: 'films' },
  protocol: {
    dataset: 'f'.repeat(64),
    testSetHash: 'a'.repeat(64),
    part: 'test',
    split: 'leave-last-out',
    order: 'temporal',
    filterSeen: true,
    candidates: 'all',
    catalogue: 12,
    tieRule: 'half',
    ks: [10],
    users: 3,
    querySet: 'b'.repeat(64),
  },
  rows: [
    {
      name: 'ours',
      kind: 'model',
      metrics: { 'ndcg@10': 0.2, 'hr@10': 0.3, 'mrr@10': 0.1 },
      intervals: { 'ndcg@10': { mean: 0.2, low: 0.1, high: 0.3 } },
      parameters: 10,
      bytes: 40,
      unreachable: 0,
    },
  ],
  skipped: [],
  differences: [],
  published: [{ name: 'theirs', source: 'a paper', metrics: { 'ndcg@10': 0.25 } }],
  seconds: 1,
};

test('published rows stand below the measured ones, aside from the comparison, with their source', () => {
  const { columns, rows, aside } = comparisonTable(RESULTS);
  assert.deepEqual(
    rows.map((row) => row.length),
    [columns.length, columns.length],
  );
  assert.deepEqual(rows[1]!.slice(0, 4), ['theirs (published)', 0.25, null, null]);
  assert.deepEqual(aside, [1], 'theirs is no candidate for the best');
  const text = evaluationText(RESULTS);
  assert.match(text, /theirs \(published\) +\.?0?\.2500/);
  assert.match(text, /theirs \(published\): a paper/);
});

test('results of before have none', () => {
  const { published, ...before } = RESULTS;
  assert.equal(comparisonTable(before).rows.length, 1);
  assert.ok(published && !/published/.test(evaluationText(before)));
  assert.equal(resultsSchema.safeParse(before).success, resultsSchema.safeParse(RESULTS).success);
});

test('what a model keeps of the reference stands below, and plots show quality against size and time', async () => {
  const row = RESULTS.rows[0]!;
  const results: Results = {
    ...RESULTS,
    rows: [
      { ...row, name: 'teacher', bytes: 400, milliseconds: 3 },
      { ...row, milliseconds: 0.5 },
      { ...row, name: 'popularity', kind: 'baseline' },
    ],
    retention: [
      {
        row: 'ours',
        reference: 'teacher',
        metric: 'ndcg@10',
        quality: { mean: 0.985, low: 0.97, high: 1.002 },
        bytes: 0.1,
        weights: 0.08,
      },
    ],
  };
  assert.match(
    evaluationText(results),
    /ours: 98\.5 % \[97\.0 %, 100\.2 %\] of teacher's ndcg@10, with 8\.0 % of its weights beside the embeddings and 10\.0 % of its bytes/,
  );
  const { plots } = evaluationReport(results, results.protocol);
  assert.equal(plots!.length, 3);
  for (const plot of plots!) assert.match(await drawPlot(plot), /<svg/);
  const names = JSON.stringify(plots!.slice(1));
  assert.ok(names.includes('"ours"') && names.includes('"teacher"') && !names.includes('"popularity"'));
  assert.equal(evaluationReport(RESULTS, RESULTS.protocol).plots!.length, 1, 'one model has no trade-off');
});

test('what was attacked has a table of its own: clean, attacked and at random, by length', () => {
  const figure = (mean: number) => ({
    metrics: { 'ndcg@10': mean },
    intervals: { 'ndcg@10': { mean, low: mean, high: mean } },
  });
  const [ours] = RESULTS.rows;
  const attacks = [
    { epsilon: 0.5, adversarial: figure(0.05), random: figure(0.15) },
    { epsilon: 1, adversarial: figure(0.01), random: figure(0.125) },
  ];
  const results = {
    ...RESULTS,
    rows: [
      { ...ours!, attacks },
      { ...ours!, name: 'baseline' },
    ],
  };
  assert.equal(resultsSchema.parse(results).rows[0]!.attacks!.length, 2);
  const { columns, rows } = attackTable(results)!;
  assert.deepEqual(columns, ['model', 'epsilon', 'NDCG@10 clean', 'NDCG@10 attacked', 'NDCG@10 at random']);
  assert.deepEqual(rows[1]!.slice(0, 2), ['ours', '1']);
  assert.deepEqual(
    rows[1]!.slice(2).map((cell) => (cell as { value: number }).value),
    [0.2, 0.01, 0.125],
  );
  assert.match(evaluationText(results), /ours +1 .*0\.2000.*0\.0100.*0\.1250/);
  assert.equal(evaluationReport(results, results.protocol).further![0]!.table.rows.length, 2);
  assert.equal(attackTable(RESULTS), undefined);
  assert.doesNotMatch(evaluationText(RESULTS), /attacked/);
});

test('what is reached at the task of each behaviour stands in a table of its own, with the number of users', () => {
  const row = RESULTS.rows[0]!;
  const task = (users: number, value: number) => ({
    users,
    metrics: { 'ndcg@10': value, 'hr@10': 2 * value },
    intervals: { 'ndcg@10': { mean: value, low: value - 0.1, high: value + 0.1 } },
  });
  const results: Results = {
    ...RESULTS,
    rows: [
      { ...row, perBehaviour: { view: task(1200, 0.2), buy: task(3, 0.4) } },
      {
        ...row,
        name: 'popularity',
        kind: 'baseline',
        perBehaviour: { view: task(1200, 0.1), buy: task(3, 0.3) },
      },
    ],
  };
  const { columns, rows } = behaviourTable(results)!;
  assert.deepEqual(
    columns.map((column) => (typeof column === 'string' ? column : column.name)),
    ['model', 'view (1,200 users) NDCG@10', 'view HR@10', 'buy (3 users) NDCG@10', 'buy HR@10'],
  );
  assert.deepEqual(rows[1], [
    'popularity',
    { value: 0.1, low: 0, high: 0.2 },
    0.2,
    { value: 0.3, low: 0.3 - 0.1, high: 0.4 },
    0.6,
  ]);
  assert.match(evaluationText(results), /buy \(3 users\) NDCG@10/);
  assert.ok(resultsSchema.safeParse(results).success);
  assert.equal(evaluationReport(results, results.protocol).further![0]!.title, 'By behaviour');
  assert.equal(behaviourTable(RESULTS), undefined);
});

test('impressions lead with their AUC, and say what was shown and what was left out', () => {
  const { rows, columns } = comparisonTable(IMPRESSIONS);
  assert.deepEqual(
    columns.map((column) => (typeof column === 'string' ? column : column.name)),
    ['model', 'AUC', 'MRR', 'NDCG@5', 'NDCG@10', 'parameters', 'size'],
  );
  assert.deepEqual(rows[0]!.slice(0, 5), ['ours', { value: 0.61, low: 0.6, high: 0.62 }, 0.3, 0.31, 0.37]);
  assert.deepEqual(rows[1]!.slice(0, 5), ['theirs (published)', 0.68, null, null, 0.4]);
  const text = evaluationText(resultsSchema.parse(JSON.parse(JSON.stringify(IMPRESSIONS))));
  assert.match(text, /40 impressions of 3 users, test rows/);
  assert.match(text, /25\.0 % of the 400 items shown have no train row/);
  assert.match(text, /2 impressions are left out/);
  assert.match(text, /ours − popularity: ndcg@10 \+0\.6100 .* paired by impression/);
});

const IMPRESSIONS: Results = {
  ...RESULTS,
  protocol: { ...RESULTS.protocol, impressions: 40, ks: [5, 10] },
  rows: [
    {
      ...RESULTS.rows[0]!,
      metrics: { auc: 0.61, mrr: 0.3, 'ndcg@5': 0.31, 'ndcg@10': 0.37 },
      intervals: { auc: { mean: 0.61, low: 0.6, high: 0.62 } },
    },
  ],
  differences: [
    { row: 'ours', against: 'popularity', metrics: { 'ndcg@10': { mean: 0.61, low: 0.6, high: 0.62 } } },
  ],
  impressions: { shown: 400, untrained: 100, onlyClicked: 2 },
  published: [{ name: 'theirs', source: 'a paper', metrics: { auc: 0.68, 'ndcg@10': 0.4 } }],
};
