import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serveReport } from '../../src/commands/serve-view.js';
import { Prequential } from '../../src/online/prequential.js';

const ended = (prequential: Prequential, alerts = [] as Parameters<typeof serveReport>[0]['alerts']) => ({
  path: 'state/snapshot',
  metrics: { learned: 4 },
  quality: prequential.report(),
  alerts,
});

test('the report of a service: arms with intervals, differences, alerts', () => {
  const prequential = new Prequential(10, 100, ['popularity', 'frozen', 'learned']);
  for (const user of ['u1', 'u2', 'u3', 'u4'])
    prequential.record(user, [
      { rank: 40, logLoss: 5 },
      { rank: 3, logLoss: 3 },
      { rank: user === 'u4' ? 3 : 1, logLoss: 2 },
    ]);
  prequential.miss('u5');
  const alert = {
    number: 1,
    time: 0,
    kind: 'drift',
    message: 'it drifts',
    position: 9,
    since: 4,
    count: 5,
    events: ['secret'],
  };
  const report = serveReport(ended(prequential, [alert as never]), { seed: 1 });
  assert.match(report.description!, /^5 events ranked .*, 1 of them on items that no model knew; 4 learned/);
  const [popularity, frozen, learned] = report.comparison!.rows as [string, { value: number }, number][];
  assert.deepEqual([popularity![0], frozen![0], learned![0]], ['popularity', 'frozen', 'learned']);
  // Rank 3 gains 1 / log2 4 = ½, rank 1 gains 1, and the unknown item nothing.
  assert.deepEqual([frozen![1].value, learned![1].value], [(4 * 0.5) / 5, (3 + 0.5) / 5]);
  const [differences, alerts] = report.further!;
  assert.deepEqual(
    differences!.table.rows.map(([arm, minus]) => [arm, minus]),
    [
      ['popularity', 'frozen'],
      ['learned', 'frozen'],
    ],
  );
  assert.deepEqual(alerts!.table.rows, [['1970-01-01T00:00:00.000Z', 'drift', 'it drifts', 5]]);
  assert(!JSON.stringify(report).includes('secret'));
});

test('a service that nothing came to has a report', () => {
  const report = serveReport(ended(new Prequential(10, 100)), {});
  assert.match(report.description!, /^0 events ranked/);
  assert.deepEqual(report.further, []);
});
