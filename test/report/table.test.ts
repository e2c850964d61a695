import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeHtml, formatBytes, formatMetric, formatMilliseconds } from '../../src/report/format.js';
import { displayWidth, renderTable, type Table, tableToHtml } from '../../src/report/table.js';

const table: Table = {
  columns: [
    'model',
    { name: 'ndcg@10', better: 'higher' },
    { name: 'rmse', better: 'lower' },
    { name: 'size', format: 'bytes' },
  ],
  rows: [
    ['popularity', { value: 0.05, low: 0.04, high: 0.06 }, 1.25, 6732],
    ['教師', 0.1134, 0.9, 4938268],
    ['oracle', 0.3, null, null],
  ],
  aside: [2],
};

test('a table in a terminal: aligned, numbers to the right, the best marked', () => {
  assert.equal(
    renderTable(table),
    [
      'model                        ndcg@10    rmse     size',
      '──────────  ────────────────────────  ───────  ──────',
      'popularity  0.0500  [0.0400, 0.0600]  1.2500   6.7 KB',
      '教師                         0.1134*  0.9000*  4.9 MB',
      'oracle                       0.3000        –        –',
      '* best of its column; oracle not counted',
    ].join('\n'),
  );
});

test('ties share the mark, and a single value has nothing to beat', () => {
  const columns = [{ name: 'a', better: 'higher' as const }];
  assert.equal(renderTable({ columns, rows: [[1], [1], [0]] }), 'a\n──\n1*\n1*\n0\n* best of its column');
  assert.equal(renderTable({ columns, rows: [[1]] }), 'a\n─\n1');
  assert.equal(renderTable({ columns, rows: [[1], [Number.NaN]] }), 'a\n─\n1\n–');
  assert.equal(renderTable({ columns, rows: [] }), 'a\n─');
});

test('the same table in HTML', () => {
  const html = tableToHtml({ ...table, rows: [...table.rows, ['<script>"&', 0, 2, 1]] });
  assert.match(html, /<td class="n best">0\.1134<\/td>/);
  assert.match(html, /<td class="n">0\.0500<small>\[0\.0400, 0\.0600\]<\/small><\/td>/);
  assert.match(html, /<tr class="aside"><td>oracle<\/td><td class="n">0\.3000<\/td>/);
  assert.match(html, /&lt;script&gt;&quot;&amp;/);
});

test('numbers as people read them', () => {
  assert.deepEqual([0, 999, 1000, 999_949, 999_950, 1.5e9].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 KB',
    '999.9 KB',
    '1.0 MB',
    '1.5 GB',
  ]);
  assert.deepEqual([0, 0.12345, 12.345, 1234.5, 0.00012345, -3, Number.NaN].map(formatMetric), [
    '0',
    '0.1235',
    '12.35',
    '1,235',
    '0.000123',
    '-3',
    '–',
  ]);
  assert.deepEqual([0.021, 3.14, 12.3, 1500].map(formatMilliseconds), [
    '0.02 ms',
    '3.1 ms',
    '12 ms',
    '1.5 s',
  ]);
  assert.equal(escapeHtml(`a<b>&"'\u0000\n`), 'a&lt;b&gt;&amp;&quot;&#39; \n');
  assert.equal(displayWidth('日本 é e\u0301 🎬'), 4 + 1 + 1 + 1 + 1 + 1 + 2);
});
