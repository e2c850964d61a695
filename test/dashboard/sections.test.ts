import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertsHtml, alertsOf, lagGrowth } from '../../src/dashboard/alerts.js';
import { clicksHtml } from '../../src/dashboard/clicks.js';
import { learnerHtml, modelText } from '../../src/dashboard/learner.js';
import { percentText, rateText, timeText } from '../../src/dashboard/parts.js';
import {
  addMoment,
  type Moment,
  momentOf,
  qualityHtml,
  qualityTable,
  verdictOf,
  verdictOn,
} from '../../src/dashboard/quality.js';
import { fallbackShare, trafficHtml } from '../../src/dashboard/traffic.js';
import { type Scrape, windowOf } from '../../src/dashboard/window.js';
import { readMetrics } from '../../src/protocol/metrics.js';
import type { QualityReply } from '../../src/protocol/quality.js';

const scrape = (at: number, ...lines: string[]): Scrape => ({ at, samples: readMetrics(lines.join('\n')) });
const textOf = (html: string): string =>
  html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();

const interval = (mean: number | null, half: number | null) => ({
  mean,
  low: mean === null || half === null ? null : mean - half,
  high: mean === null || half === null ? null : mean + half,
});
const quality = (difference = interval(0.5, 0.25)): QualityReply => ({
  requestId: 'r',
  k: 10,
  window: 1000,
  events: 2500,
  unknown: 3,
  arms: ['popularity', 'frozen', 'learned'].map((arm, i) => ({
    arm,
    ndcg: interval(i / 10, 0.01),
    hr: interval(i / 5, 0.02),
    logLoss: interval(7 - i, null),
  })),
  differences: [
    { arm: 'popularity', against: 'frozen', ndcg: interval(-0.1, 0.01), logLoss: interval(1, 0.1) },
    { arm: 'learned', against: 'frozen', ndcg: difference, logLoss: interval(-1, 0.1) },
  ],
});

test('numbers as the page shows them', () => {
  assert.deepEqual([0, 1.234, 12.34, 1234.5, Number.NaN].map(rateText), [
    '0.00/s',
    '1.23/s',
    '12.3/s',
    '1,235/s',
    '–',
  ]);
  assert.deepEqual([0, 0.012, 0.5, 1, Number.NaN].map(percentText), ['0 %', '1.2 %', '50 %', '100 %', '–']);
  assert.deepEqual([0.00123, 0.0123, 1.234, Number.NaN].map(timeText), ['1.2 ms', '12.3 ms', '1.23 s', '–']);
});

test('clicks: figures where there is a click model, and nothing where there is none', () => {
  const lines = (learned: number, loss: string) => [
    `recsys_clicks_log_loss ${loss}`,
    `recsys_clicks_calibration ${loss === 'Nan' ? 'Nan' : 1.25}`,
    `recsys_clicks_rate ${loss === 'Nan' ? 'Nan' : 0.052}`,
    `recsys_clicks_learned_total{label="0"} ${learned}`,
    `recsys_clicks_learned_total{label="1"} ${learned / 4}`,
  ];
  const window = windowOf([scrape(0, ...lines(400, '0.31')), scrape(10, ...lines(800, '0.2504'))]);
  assert.equal(
    textOf(clicksHtml(window)),
    'Clicks Over the newest events with a label, each foretold before it was learned. 0.2504 log-loss, less is better 1.2500 clicks foretold by clicks that came; 1 is right 5.2 % share of clicks 1,000 events learned 50.0/s events learned now',
  );
  assert.match(
    textOf(clicksHtml(windowOf([scrape(0, ...lines(0, 'Nan'))]))),
    /– log-loss.*– share.* 0 events learned –/,
  );
  assert.equal(clicksHtml(windowOf([scrape(0, 'recsys_users 3')])), '');
});

test('traffic: rates over the window, shares and totals since the start', () => {
  const lines = (lists: number, fallbacks: number, events: number, refused: number) => [
    `recsys_recommendations_total{source="model"} ${lists}`,
    `recsys_recommendations_total{source="fallback"} ${fallbacks}`,
    `recsys_events_received_total{result="accepted"} ${events}`,
    `recsys_events_received_total{result="duplicate"} 99`,
    `recsys_http_request_seconds_count{method="GET",route="/v1/recommendations",status="200"} ${lists}`,
    `recsys_http_request_seconds_count{method="POST",route="/v1/recommendations",status="200"} ${fallbacks}`,
    `recsys_http_request_seconds_count{method="POST",route="/v1/events",status="507"} ${refused}`,
    `recsys_http_request_seconds_count{method="GET",route="/metrics",status="200"} 777`,
    ...['0.01', '0.02', '+Inf'].map(
      (le, i) =>
        `recsys_http_request_seconds_bucket{le="${le}",route="/v1/recommendations"} ${[0, lists, lists][i]}`,
    ),
  ];
  const window = windowOf([scrape(0, ...lines(100, 0, 50, 0)), scrape(10, ...lines(130, 10, 75, 4))]);
  assert.equal(fallbackShare(window.rise), 0.25);
  const text = textOf(trafficHtml(window));
  for (const part of [
    '4.00/s lists',
    '2.50/s events accepted',
    '25 % fallback lists',
    '19.5 ms p95 of a list',
    'Now: the last 10 s.',
    'recommendations 200 4.00/s 140',
    'events 507 0.40/s 4',
    'recommendations now 15 ms 19.5 ms 19.9 ms',
  ])
    assert(text.includes(part), `${part}: ${text}`);
  assert.doesNotMatch(text, /metrics|777|NaN/);
  assert.match(
    textOf(trafficHtml(windowOf([scrape(0, ...lines(100, 0, 50, 0))]))),
    /–\s+lists.*Rates follow/,
  );
  assert.match(trafficHtml(windowOf([scrape(0)])), /Nothing was asked/);
});

test('the learner: rates, times of updates, and what became of events', () => {
  const lines = (updates: number, seconds: number, learned: number) => [
    'recsys_model_info{model="linear",version="abc<1>"} 1',
    `recsys_learner_update_seconds_count ${updates}`,
    `recsys_learner_update_seconds_sum ${seconds}`,
    ...['0.1', '+Inf'].map((le) => `recsys_learner_update_seconds_bucket{le="${le}"} ${updates}`),
    `recsys_events_outcome_total{outcome="learned",reason=""} ${learned}`,
    'recsys_events_outcome_total{outcome="skipped",reason="unknown item"} 1234',
    'recsys_learner_lag_events 42\nrecsys_learner_paused 0\nrecsys_journal_writable 1',
    'recsys_users 9\nrecsys_journal_position 4711',
  ];
  const window = windowOf([scrape(0, ...lines(10, 1, 40)), scrape(5, ...lines(20, 1.5, 60))]);
  const html = learnerHtml(window);
  for (const part of [
    'learning learner',
    '42 events waiting',
    '2.00/s updates',
    '50 ms mean time',
    '95 ms p95',
    '9 users known',
    '4,711 journal position',
    'writable journal',
    'Model version abc&lt;1&gt;, and 60 events learned',
    'learned 4.00/s 60',
    'skipped: unknown item 0.00/s 1,234',
  ])
    assert(textOf(html).includes(part), `${part}: ${textOf(html)}`);
  assert.equal(modelText(window), 'linear · abc<1>');
  assert.match(
    textOf(learnerHtml(windowOf([scrape(0, 'recsys_learner_paused 1\nrecsys_journal_writable 0')]))),
    /paused learner.*not writable journal/,
  );
});

test('quality: what learning earned, in words', () => {
  assert.equal(verdictOf(interval(0.5, 0.25)), 'better');
  assert.equal(verdictOf(interval(0.5, 0.25), -1), 'worse');
  assert.equal(verdictOf(interval(-0.5, 0.25)), 'worse');
  assert.equal(verdictOf(interval(0.25, 0.25)), 'same');
  assert.equal(verdictOf(interval(0.1, null)), 'unknown');
  const on = (ndcg: ReturnType<typeof interval>, logLoss: ReturnType<typeof interval>) =>
    verdictOn({ ndcg, logLoss });
  assert.equal(on(interval(0.5, 0.25), interval(0.5, 0.25)), 'better', 'the ranking comes first');
  assert.equal(on(interval(0.1, 0.25), interval(-0.5, 0.25)), 'better');
  assert.equal(on(interval(0.1, 0.25), interval(0.1, 0.25)), 'same');
  const words = (difference: ReturnType<typeof interval>) => textOf(qualityHtml(quality(difference), []));
  assert.match(
    words(interval(0.5, 0.25)),
    /▲ learned does better than frozen: NDCG@10 is higher by 0.5000 \(95 % interval 0.2500 to 0.7500\); log-loss is lower by 1 \(95 % interval −1.1000 to −0.9000\)\./,
  );
  assert.match(
    words(interval(-0.5, 0.25)),
    /▼ learned does worse than frozen: NDCG@10 is lower by 0.5000 .*−0.7500 to −0.2500/,
  );
  assert.match(
    words(interval(0.1, 0.25)),
    /▲ learned does better than frozen: no difference in NDCG@10 can be told .*; log-loss is lower/,
  );
  assert.match(words(interval(null, null)), /… learned and frozen: too few events of too few users/);
  assert.match(
    words(interval(0, 1)),
    /The newest 1,000 of 2,500 events, .* 3 were of items that no model knows\./,
  );
  assert.match(qualityHtml({ ...quality(), events: 0 }, []), /No event was ranked yet/);
  assert.match(textOf(qualityTable(quality())), /learned − frozen 0.5000 \[0.2500, 0.7500\] −?-?1/);
  assert.equal(qualityHtml(quality(), [momentOf(0, quality())]).match(/<svg/g)?.length, 6);
  const alone = { ...quality(), differences: [] };
  assert.doesNotMatch(qualityHtml(alone, []), /What learning earned|minus/);
});

test('moments are thinned out, the newest kept', () => {
  let moments: Moment[] = [];
  for (let at = 0; at < 10; at++) moments = addMoment(moments, { at, ndcg: {} }, 4);
  assert(moments.length <= 4, `${moments.length}`);
  assert.equal(moments.at(-1)!.at, 9);
  assert.deepEqual(momentOf(3, quality()), { at: 3, ndcg: { popularity: 0, frozen: 0.1, learned: 0.2 } });
});

const WELL = ['recsys_learner_paused 0', 'recsys_journal_writable 1', 'recsys_learner_loss 0.5'];
const after = (...lines: string[]) => alertsOf([scrape(0, ...WELL), scrape(60, ...WELL, ...lines)]);

test('all is well where nothing is wrong', () => {
  assert.deepEqual(after('recsys_learner_lag_events 5'), []);
  assert.match(alertsHtml([]), /All is well/);
  assert.deepEqual(alertsOf([]), []);
  assert.deepEqual(alertsOf([scrape(0, ...WELL)], quality()), []);
});

test('each thing that is wrong has its alert', () => {
  const cases: [string[], RegExp][] = [
    [
      ['recsys_http_request_seconds_count{route="/v1/events",status="507"} 4'],
      /^error: 4 requests failed .* last 60 s/,
    ],
    [
      [
        'recsys_recommendations_total{source="model"} 5',
        'recsys_recommendations_total{source="fallback"} 15',
      ],
      /^warning: 75 % of the lists in the last 60 s were fallbacks/,
    ],
    [
      [
        'recsys_events_outcome_total{outcome="learned",reason=""} 60',
        'recsys_events_outcome_total{outcome="skipped",reason="unknown item"} 40',
      ],
      /^warning: 40 % of the events/,
    ],
    [
      ['recsys_http_rejected_total{reason="unauthenticated"} 30'],
      /^warning: 30 requests .* \(0.50\/s\) came without/,
    ],
    [['recsys_http_rejected_total{reason="forbidden"} 1'], /lacks the scope/],
    [['recsys_http_rejected_total{reason="rate"} 1'], /more than the limits/],
  ];
  for (const [lines, expected] of cases) {
    const alerts = after(...lines);
    assert.equal(alerts.length, 1, lines[0]);
    assert.match(`${alerts[0]!.level}: ${alerts[0]!.text}`, expected);
  }
  const bad = scrape(0, 'recsys_learner_paused 1', 'recsys_journal_writable 0', 'recsys_learner_loss Nan');
  const all = alertsOf([bad], quality(interval(-0.5, 0.1)));
  assert.deepEqual(
    all.map(({ level, text }) => [level, text.split(' ').slice(0, 3).join(' ')]),
    [
      ['error', 'The learner is'],
      ['error', 'The journal cannot'],
      ['error', 'The loss of'],
      ['warning', 'What is served'],
    ],
  );
  assert.match(textOf(alertsHtml(all)), /^Error The learner is paused.* Warning What is served does worse/);
});

test('few fallbacks, few lists and few unknown items are no alert', () => {
  assert.deepEqual(after('recsys_recommendations_total{source="fallback"} 9'), []);
  assert.deepEqual(
    after(
      'recsys_recommendations_total{source="fallback"} 9',
      'recsys_recommendations_total{source="model"} 10',
    ),
    [],
  );
  assert.deepEqual(
    after(
      'recsys_events_outcome_total{outcome="learned",reason=""} 95',
      'recsys_events_outcome_total{outcome="skipped",reason="unknown item"} 5',
    ),
    [],
  );
});

test('a lag is an alert while it is large and grows', () => {
  const grows = (...lags: number[]) =>
    lagGrowth(lags.map((lag, i) => scrape(5 * i, `recsys_learner_lag_events ${lag}`)));
  assert.equal(grows(100, 150, 200), 10);
  assert.equal(grows(0, 50, 99), 0);
  assert.equal(grows(100, 300, 200), 0);
  assert.equal(grows(1000, 1010, 1020), 0);
  assert.equal(grows(100, 200), 0);
});
