import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketsOf, countOf, quantile } from '../../src/dashboard/histogram.js';
import { quantileText } from '../../src/dashboard/parts.js';
import { remember, risen, type Scrape, windowOf } from '../../src/dashboard/window.js';
import { gauge, readMetrics, select, total } from '../../src/protocol/metrics.js';

const TEXT = `# HELP a_total Help, with {braces} and 1 number
# TYPE a_total counter
a_total{route="/v1/events",status="200"} 3
a_total{status="507",route="/v1/events"} 2
a_total 5
b{text="a \\"quoted\\", {braced} \\\\ text\\nof two lines",le="+Inf"} 1.5e-3 1700000000000
c +Inf
d Nan
e -Inf

not a sample
`;

test('Prometheus text: labels in any order, escapes, times, and values that are no plain numbers', () => {
  const samples = readMetrics(TEXT);
  assert.deepEqual(
    samples.map(({ name, value }) => [name, value]),
    [
      ['a_total', 3],
      ['a_total', 2],
      ['a_total', 5],
      ['b', 0.0015],
      ['c', Number.POSITIVE_INFINITY],
      ['d', Number.NaN],
      ['e', Number.NEGATIVE_INFINITY],
    ],
  );
  assert.deepEqual(samples[3]!.labels, { text: 'a "quoted", {braced} \\ text\nof two lines', le: '+Inf' });
  assert.equal(total(select(samples, 'a_total')), 10);
  assert.equal(total(select(samples, 'a_total', { route: '/v1/events' })), 5);
  assert.equal(total(select(samples, 'a_total', { route: '/v1/events', status: '507' })), 2);
  assert.deepEqual([gauge(samples, 'c'), gauge(samples, 'nothing')], [Number.POSITIVE_INFINITY, Number.NaN]);
});

const scrape = (at: number, text: string): Scrape => ({ at, samples: readMetrics(text) });

test('rises of counters: new ones from zero, and those that fell with a restart from zero as well', () => {
  const before = readMetrics('n{a="1"} 10\nn{a="2"} 7\n');
  const now = readMetrics('n{a="1"} 25\nn{a="2"} 4\nn{a="3"} 2\n');
  assert.deepEqual(
    risen(before, now).map(({ value }) => value),
    [15, 4, 2],
  );
});

test('a window reaches as far back as it must and no further; after a pause it spans the pause', () => {
  let scrapes: Scrape[] = [];
  for (const [at, n] of [
    [0, 0],
    [5, 10],
    [10, 20],
    [15, 40],
  ] as const)
    scrapes = remember(scrapes, scrape(at, `n ${n}`), 10);
  assert.deepEqual(
    scrapes.map(({ at }) => at),
    [5, 10, 15],
  );
  const { seconds, rise, now } = windowOf(scrapes);
  assert.deepEqual([seconds, total(rise), total(now)], [10, 30, 40]);
  const later = windowOf(remember(scrapes, scrape(100, 'n 57'), 10));
  assert.deepEqual([later.seconds, total(later.rise)], [85, 17]);
  assert.deepEqual(windowOf([scrape(3, 'n 5')]), { now: readMetrics('n 5'), rise: [], seconds: 0 });
  assert.deepEqual(windowOf([]), { now: [], rise: [], seconds: 0 });
});

test('quantiles of a histogram, added up over label sets', () => {
  const rows = (status: string, counts: readonly number[]) =>
    ['0.1', '0.5', '1', '+Inf']
      .map((le, i) => `t_bucket{le="${le}",status="${status}"} ${counts[i]}`)
      .join('\n');
  const samples = readMetrics(
    `${rows('200', [4, 6, 8, 8])}\n${rows('503', [0, 0, 0, 2])}\nt_sum 3\nt_count 10`,
  );
  const all = bucketsOf(samples, 't');
  assert.deepEqual(all, [
    [0.1, 4],
    [0.5, 6],
    [1, 8],
    [Number.POSITIVE_INFINITY, 10],
  ]);
  assert.equal(countOf(all), 10);
  const near = (found: number, value: number) => assert(Math.abs(found - value) < 1e-12, `${found}`);
  // 2 of the 4 in (0, 0.1]; 1 of the 2 in (0.1, 0.5]; 1 of the 2 in (0.5, 1].
  near(quantile(all, 0.2), 0.05);
  near(quantile(all, 0.5), 0.3);
  near(quantile(all, 0.7), 0.75);
  near(quantile(all, 0.8), 1);
  assert.equal(quantile(all, 0.99), Number.POSITIVE_INFINITY);
  assert.deepEqual([quantileText(all, 0.99), quantileText(all, 0.5)], ['> 1 s', '300 ms']);
  near(quantile(bucketsOf(samples, 't', { status: '200' }), 0.5), 0.1);
  assert.equal(quantile(bucketsOf(samples, 'nothing'), 0.5), Number.NaN);
  assert.equal(quantileText([], 0.5), '–');
});
