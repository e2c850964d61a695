import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { curveSpec, groupCurves } from '../../src/report/curves.js';
import { lineageSvg } from '../../src/report/lineage.js';
import { drawPlot } from '../../src/report/plot.js';
import { renderReport, writeReport } from '../../src/report/report.js';
import type { CheckpointManifest, LineageEntry } from '../../src/storage/manifest.js';
import { temporary, tinyContent } from '../storage/fixtures.js';

const nasty = `<img src=x onerror="alert(1)">&'`;
const dataset = { path: '/d/shop', name: 'shop', fingerprint: 'aaaa', testSetHash: 'bbbb' };
const ancestor: LineageEntry = {
  stage: 'pretrain',
  path: '/teacher',
  manifestSha256: 'c',
  model: 'transformer',
  parameters: 1234,
  dataset,
};
const manifest: CheckpointManifest = {
  ...tinyContent.manifest,
  kind: 'checkpoint',
  formatVersion: 1,
  createdAt: '2026-01-01T00:00:00.000Z',
  stage: 'distill',
  model: { name: 'mlp', config: { width: 8 }, parameters: 99, bytes: 2048 },
  metrics: { 'ndcg@10': 0.125, epoch: 3 },
  dataset,
  lineage: [ancestor],
  versions: { recsys: '0.1.0', node: '20.0.0', tfjs: '4.22.0', libtensorflow: '2.18.1' },
  files: {},
};
const history = [1, 2, 3].map((epoch) => ({
  epoch,
  trainLoss: 1 / epoch,
  validationLoss: 2 / epoch,
  'ndcg@10': epoch / 10,
  'ndcg@20': epoch / 8,
  learningRate: 1e-3,
}));

test('the report is one page with everything in it and nothing from elsewhere', async (t) => {
  const dir = await temporary(t);
  const path = await writeReport(dir, {
    title: 'student',
    manifest,
    metricsHistory: history,
    comparison: {
      columns: ['model', { name: 'ndcg@10', better: 'higher' }],
      rows: [
        ['ease', 0.1],
        ['student', 0.125],
      ],
    },
    plots: [
      {
        title: 'bars',
        data: { values: [{ a: 'x', b: 1 }] },
        mark: 'bar',
        encoding: { x: { field: 'a' }, y: { field: 'b', type: 'quantitative' } },
      },
    ],
  });
  const html = await readFile(path, 'utf8');
  for (const text of [
    'A student, distilled',
    '>shop<',
    '>transformer<',
    'width: 8',
    '2.18.1',
    'class="n best">0.1250',
    '>Loss<',
    '>NDCG<',
    '>Learning rate<',
    '>bars<',
    '2.0 KB',
  ]) {
    assert.ok(html.includes(text), text);
  }
  assert.doesNotMatch(html, /<script|<link|<iframe|src=|href="(?!#)|url\((?!#)|@import/);
  assert.doesNotMatch(html, /5e11e/, 'no stand-in colour is left');
  assert.equal(html.match(/<svg/g)?.length, 5);
});

test('text from data cannot become markup', async () => {
  const html = await renderReport({
    title: nasty,
    description: nasty,
    manifest: {
      ...manifest,
      model: { ...manifest.model, name: nasty, config: { [nasty]: nasty } },
      metrics: { [nasty]: 1 },
      dataset: { ...dataset, name: nasty, path: nasty },
      lineage: [{ ...ancestor, model: nasty }],
    },
    metricsHistory: history.map((row) => ({ ...row, [nasty]: 1 })),
    comparison: { columns: [nasty], rows: [[nasty]] },
    comparisonNote: nasty,
    plots: [
      {
        title: nasty,
        data: { values: [{ a: nasty, b: 1 }] },
        mark: 'bar',
        encoding: { x: { field: 'a' }, y: { field: 'b', type: 'quantitative', title: nasty } },
      },
    ],
  });
  assert.doesNotMatch(html, /<img/);
});

test('a report without anything is still a page', async () => {
  const html = await renderReport({ title: 'empty' });
  assert.match(html, /<h1>empty<\/h1>/);
  assert.doesNotMatch(html, /<h2>/);
});

test('curves are grouped by what they measure', () => {
  assert.deepEqual(groupCurves([...history, { epoch: 4, 'hr@10': Number.NaN }]), [
    { title: 'Loss', names: ['trainLoss', 'validationLoss'] },
    { title: 'NDCG', names: ['ndcg@10', 'ndcg@20'] },
    { title: 'Learning rate', names: ['learningRate'] },
  ]);
  assert.deepEqual(groupCurves([{ epoch: 1, accuracy: 0.5, majorityRate: 0.6, 'validation/rmse': 1 }]), [
    { title: 'Accuracy', names: ['accuracy', 'majorityRate'] },
    { title: 'Error', names: ['validation/rmse'] },
  ]);
});

test('epochs are labelled once each, and by whole numbers, however few there are', async () => {
  for (let epochs = 1; epochs <= 12; epochs++) {
    const rows = Array.from({ length: epochs }, (_, i) => ({ epoch: i + 1, loss: 1 / (i + 1) }));
    const svg = await drawPlot(curveSpec({ title: 'Loss', names: ['loss'] }, rows));
    const axis = svg.split('role-axis-label')[1]!.split('role-axis-title')[0]!;
    const labels = [...axis.matchAll(/>([^<>]+)<\/text>/g)].map((match) => match[1]);
    assert.deepEqual(
      labels,
      rows.map(({ epoch }) => String(epoch)),
    );
  }
});

test('plots read nothing from outside', async () => {
  const spec = {
    data: { url: 'file:///etc/passwd' },
    mark: 'point',
    encoding: { x: { field: 'a', type: 'quantitative' } },
  };
  const drawn = await drawPlot(spec).catch((error: unknown) => error);
  assert.ok(drawn instanceof Error || !String(drawn).includes('root:'));
});

test('the lineage shows each step once, new data below, and abridges long lines', () => {
  const titles = (svg: string) => [...svg.matchAll(/class="t"[^>]*>([^<]*)</g)].map((match) => match[1]);
  assert.deepEqual(titles(lineageSvg(manifest)), ['shop', 'pretrain', 'distill']);
  const tuned = { ...manifest, stage: 'finetune', dataset: { ...dataset, name: 'buys', fingerprint: 'zz' } };
  assert.deepEqual(titles(lineageSvg(tuned)), ['shop', 'pretrain', 'finetune', 'buys']);
  assert.equal(lineageSvg(tuned).match(/class="arrow"/g)?.length, 3);
  const old = {
    ...manifest,
    lineage: Array.from({ length: 40 }, (_, i) => ({ ...ancestor, stage: `s${i}` })),
  };
  assert.deepEqual(titles(lineageSvg(old)), ['shop', 's0', 's1', '…', 's36', 's37', 's38', 's39', 'distill']);
  assert.match(lineageSvg(old), />34 more</);
});
