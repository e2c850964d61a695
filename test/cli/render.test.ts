import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clock, lineProgress, Pace, progressText } from '../../src/commands/render/progress.js';
import { renderResult } from '../../src/commands/render/result.js';

test('a progress line', () => {
  const event = { task: 'epoch 3', done: 1500, total: 3000, fields: { loss: 2.345678, rows: 12 } };
  assert.equal(progressText(event, 72.4), 'epoch 3 · 1,500/3,000 · 50 % · loss 2.346 · rows 12 · 1:12 left');
  assert.equal(progressText({ task: 'reading', done: 0, total: 0 }, undefined), 'reading');
  assert.equal(progressText({ task: 'reading', done: 7, total: 0 }, undefined), 'reading · 7');
  assert.equal(clock(3723), '1:02:03');
  assert.equal(clock(9), '0:09');
});

test('time left follows the pace since the task began, also of a resumed one', () => {
  const pace = new Pace();
  assert.equal(pace.left({ task: 'a', done: 50, total: 100 }, 0), undefined, 'nothing to judge by');
  assert.equal(pace.left({ task: 'a', done: 60, total: 100 }, 10_000), 40);
  assert.equal(pace.left({ task: 'b', done: 0, total: 10 }, 11_000), undefined);
  assert.equal(pace.left({ task: 'b', done: 5, total: 10 }, 12_000), 1);
  assert.equal(pace.left({ task: 'b', done: 20, total: 10 }, 12_000), undefined, 'more than the total');
});

test('plain lines: a new task at once, then every few seconds, and the end', () => {
  const lines: string[] = [];
  let now = 0;
  const view = lineProgress({ write: (text) => void lines.push(text) }, () => now, 5);
  for (now = 0; now <= 12_000; now += 100) view.show({ task: 'a', done: now / 100, total: 120 });
  assert.deepEqual(
    lines.map((line) => line.split(' · ')[1]),
    ['0/120', '50/120', '100/120', '120/120'],
  );
  view.show({ task: 'b', done: 0, total: 2 });
  assert.equal(lines.length, 5);
});

test('results: path, text, one JSON line; no NaN in JSON', () => {
  assert.equal(renderResult({ path: '/a', seconds: 1 }, false), '/a\n');
  assert.equal(renderResult({ seconds: 1 }, false), '');
  assert.equal(renderResult({ path: '/a', seconds: 1, text: 'x' }, false), 'x\n');
  assert.equal(renderResult({ seconds: 1, text: 'x' }, true), '{"seconds":1,"text":"x"}\n');
  assert.equal(
    renderResult(
      { path: '/a', seconds: 1, text: 'x', metrics: { auc: Number.NaN }, table: new Float32Array([1, 2]) },
      true,
    ),
    '{"path":"/a","seconds":1,"metrics":{"auc":null},"table":[1,2]}\n',
  );
});
