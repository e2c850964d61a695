import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ago, boundsText, dotPlot, linePlot } from '../../src/dashboard/charts.js';
import { apart, linePath, scaleOf } from '../../src/dashboard/scale.js';

test('a scale has round ticks around its values', () => {
  const { low, high, ticks, at } = scaleOf([0.013, 0.087, Number.NaN], 100, 300);
  assert.deepEqual(
    [low, high, ticks],
    [0, 0.1, [0, 0.02, 0.04, 0.06, 0.08, 0.1]].map((x) => x),
  );
  assert.deepEqual([at(0), at(0.05), at(0.1)], [100, 200, 300]);
  assert.deepEqual(scaleOf([-0.004, 0.0013], 0, 1, 3).ticks, [-0.004, -0.002, 0, 0.002]);
  assert.deepEqual(scaleOf([6, 6], 0, 1).ticks, [6, 8]);
  assert.deepEqual(scaleOf([], 0, 1).ticks, [0, 0.5, 1]);
  assert.deepEqual(scaleOf([1200, 5300], 0, 1).ticks, [0, 2000, 4000, 6000]);
});

test('labels are moved apart, in order, and stay inside', () => {
  assert.deepEqual(apart([50, 52, 10], 14, 0, 100), [50, 64, 10]);
  assert.deepEqual(apart([98, 99], 14, 0, 100), [86, 100]);
  assert.deepEqual(apart([], 14, 0, 100), []);
});

test('a path parts where a value is missing', () => {
  const missing = [2, Number.NaN] as const;
  assert.equal(linePath([[0, 1.26], [1, 2], missing, [3, 4], [4, 5]]), 'M0 1.3L1 2M3 4L4 5');
  assert.equal(linePath([missing]), '');
});

test('values with their intervals, and times ago', () => {
  assert.equal(boundsText({ mean: 0.05, low: 0.04, high: 0.06 }), '0.0500 (0.0400 to 0.0600)');
  assert.equal(boundsText({ mean: 0.05, low: null, high: null }), '0.0500');
  assert.equal(boundsText({ mean: null, low: null, high: null }), '–');
  assert.deepEqual([0, -40, -300, -9000].map(ago), ['now', '−40 s', '−5 min', '−3 h']);
});

test('a dot plot: marks and intervals where the scale has them, all of it said in words', () => {
  const svg = dotPlot({
    title: 'NDCG@10',
    reference: 0,
    rows: [
      { name: 'a<b', series: 0, bounds: { mean: 0.5, low: 0, high: 1 } },
      { name: 'none', series: 1, bounds: { mean: null, low: null, high: null } },
      { name: 'alone', series: 2, bounds: { mean: 1, low: null, high: null } },
    ],
  });
  // 84 to 346 pixels for 0 to 1; rows of 30 from 4.
  assert.match(
    svg,
    /<path class="span s0" d="M84 19L346 19"\/><path class="mark s0" transform="translate\(215 19\)"/,
  );
  assert.match(svg, /<path class="mark s2" transform="translate\(346 79\)"/);
  assert.equal(svg.match(/class="(mark|span) s/g)?.length, 3);
  assert.match(svg, /class="zero" d="M84 /);
  assert.match(svg, /aria-label="NDCG@10: a&lt;b 0.5000 \(0 to 1\); none –; alone 1"/);
  assert.match(svg, />a&lt;b<\/text>/);
  assert.doesNotMatch(svg, /NaN|undefined|null/);
});

test('a line plot: time to the right, values up, each line named', () => {
  const svg = linePlot({
    title: 'NDCG',
    lines: [
      {
        name: 'up',
        series: 0,
        points: [
          [-10, 0],
          [-5, 0.5],
          [0, 1],
        ],
      },
      {
        name: 'new',
        series: 1,
        points: [
          [-10, Number.NaN],
          [0, 1],
        ],
      },
      {
        name: 'gone',
        series: 2,
        points: [
          [-10, 1],
          [0, Number.NaN],
        ],
      },
    ],
  });
  assert.match(svg, /class="line s0" d="M44 150L156 79L268 8"/);
  assert.match(svg, /class="line s1" d="M268 8"/);
  assert.match(svg, /aria-label="NDCG, from −10 s to now: up now 1; new now 1"/);
  const labels = [...svg.matchAll(/<text x="290" y="([\d.]+)">(\w+)</g)].map(([, y, name]) => [name, y]);
  assert.deepEqual(labels, [
    ['up', '12'],
    ['new', '26'],
  ]);
  assert.doesNotMatch(svg, /NaN|undefined/);
  assert.match(linePlot({ title: 'NDCG', lines: [] }), /aria-label="NDCG, from −1 s to now: nothing yet"/);
});
