import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Impressions } from '../../src/data/read-impressions.js';
import { popularity } from '../../src/evaluation/baselines/popularity.js';
import { recentPopularity } from '../../src/evaluation/baselines/recent-popularity.js';
import { measure } from '../../src/evaluation/contender.js';
import { evaluateScorer } from '../../src/evaluation/evaluate.js';
import {
  impressionMetricNames,
  impressionMetrics,
  impressionQueries,
} from '../../src/evaluation/impressions.js';
import { comparable } from '../../src/evaluation/protocol.js';
import { evaluateSchema } from '../../src/evaluation/schema.js';
import { describeProtocol } from '../../src/evaluation/summary.js';
import { evaluationTask, type TaskSettings } from '../../src/evaluation/task.js';
import { close, makeDataset, silent, tableScorer } from './fixture.js';

/** Metrics of one impression: its items' scores, with a `+` where they were clicked. */
function measured(shown: readonly string[], ks = [2]): Record<string, number> {
  const scores = Float32Array.from([99, ...shown.map(Number.parseFloat), 98]);
  const items = Int32Array.from(shown, (_, i) => i + 1);
  const targets = items.filter((_, i) => shown[i]!.endsWith('+'));
  const out = new Float64Array(2 + ks.length);
  impressionMetrics(scores, { items: shown.length + 1, name: 'it' }, 0, items, targets, ks, out);
  return Object.fromEntries(impressionMetricNames(ks).map((name, i) => [name, out[i]!]));
}

test('AUC, MRR over the clicked and NDCG, by hand; what was not shown does not compete', () => {
  // Ranks of the clicked: 2nd and 4th of 5.
  const found = measured(['5', '4+', '3', '2+', '1'], [2, 5]);
  assert.ok(close(found.auc!, (2 + 1) / 6));
  assert.ok(close(found.mrr!, (1 / 2 + 1 / 4) / 2));
  const gain = (place: number): number => 1 / Math.log2(place + 1);
  assert.ok(close(found['ndcg@2']!, gain(2) / (gain(1) + gain(2))));
  assert.ok(close(found['ndcg@5']!, (gain(2) + gain(4)) / (gain(1) + gain(2))));
});

test('ties count half: equal scores are chance', () => {
  const found = measured(['1', '1+', '1'], [1, 3]);
  assert.equal(found.auc, 0.5);
  assert.equal(found.mrr, 1 / 2);
  assert.equal(found['ndcg@1'], 0);
});

test('NaN of a shown item names the scorer', () => {
  assert.throws(() => measured(['NaN', '1+']), { code: 'DIVERGED' });
});

// Items a … e are 1 … 5; rows 0 … 6.
const data = makeDataset([
  ['u', 'a', 'train'],
  ['u', 'b', 'train'],
  ['u', 'c', 'test'],
  ['u', 'd', 'test'],
  ['u', 'e', 'test'],
  ['v', 'b', 'train'],
  ['v', 'd', 'test'],
]);
/** An impression: its number, first row and items, clicked where the sign says so. */
const impressionsOf = (...all: readonly (readonly [number, number, ...number[]])[]): Impressions => {
  const shown = all.map(([, , ...items]) => items);
  return {
    length: all.length,
    number: Int32Array.from(all, ([number]) => number),
    row: Int32Array.from(all, ([, row]) => row),
    offsets: Int32Array.from([0, ...shown.map((_, n) => shown.slice(0, n + 1).flat().length)]),
    item: Int32Array.from(shown.flat(), Math.abs),
    clicked: Uint8Array.from(shown.flat(), (item) => (item > 0 ? 1 : 0)),
  };
};
const IMPRESSIONS = impressionsOf([3, 2, -1, 3, 4, -2], [7, 4, 5, -3], [8, 4, 5], [9, 6, -1, 4]);

test('one query an impression: what came before its first click, what it showed, what was clicked', () => {
  const { evaluation, onlyClicked } = impressionQueries(data, IMPRESSIONS);
  assert.deepEqual(
    evaluation.queries.map(({ user, items }) => [user, [...items]]),
    [
      [1, [1, 2]],
      [1, [1, 2, 3, 4]],
      [2, [2]],
    ],
  );
  assert.deepEqual(
    evaluation.shown.map((s) => [...s]),
    [
      [1, 3, 4, 2],
      [5, 3],
      [1, 4],
    ],
  );
  assert.deepEqual(
    evaluation.targets.map((s) => [...s]),
    [[3, 4], [5], [4]],
  );
  assert.deepEqual(evaluation.ids, ['u#3', 'u#7', 'v#9']);
  assert.equal(onlyClicked, 1);
  assert.equal(impressionQueries(data, IMPRESSIONS, { maxUsers: 2, seed: 3 }).evaluation.queries.length, 2);
});

test('what cannot be asked is refused', () => {
  const random = makeDataset([['u', 'a', 'train']], { split: { order: 'random' } });
  assert.throws(() => impressionQueries(random, IMPRESSIONS), { code: 'CONFIG_INVALID', message: /random/ });
  assert.throws(() => impressionQueries(data, impressionsOf([8, 4, 5])), { code: 'DATA_EMPTY' });
  assert.throws(() => impressionQueries(data, IMPRESSIONS, { targetBehaviours: ['buy'] }), {
    code: 'CONFIG_INVALID',
  });
  for (const [key, value] of [
    ['candidates', 'train'],
    ['sampledNegatives', 5],
    ['ratings', true],
    ['perBehaviour', true],
  ] as const) {
    const { error } = evaluateSchema.safeParse({ data: 'd', impressions: true, [key]: value });
    assert.deepEqual(
      error!.issues.map(({ path }) => path.join('.')),
      [key],
    );
  }
});

const SETTINGS: TaskSettings = { part: 'test', ks: [2], filterSeen: true, seed: 1 };

test('means over impressions, with intervals; the protocol and what a reader must know', async () => {
  const task = evaluationTask(data, SETTINGS, IMPRESSIONS);
  const scorer = tableScorer({ 1: [5, 4, 1, 2, 3], 2: [1, 2, 3, 4, 5] }, 5);
  const contender = { name: 'it', kind: 'baseline', scorer, parameters: 0, bytes: 0 } as const;
  const { row, perUser } = await measure(contender, task, {
    resamples: 100,
    latencyQueries: 0,
    context: silent,
  });
  // u#3 ranks a b d c: nothing in order; u#7 e c, v#9 d a: all is.
  assert.deepEqual([...perUser.get('auc')!], [0, 1, 1]);
  assert.ok(close(row.metrics.auc!, 2 / 3));
  assert.ok(close(row.metrics.mrr!, ((1 / 3 + 1 / 4) / 2 + 1 + 1) / 3));
  assert.deepEqual(Object.keys(row.metrics), ['auc', 'mrr', 'ndcg@2']);
  assert.ok(row.intervals.auc!.low < row.intervals.auc!.high);
  assert.deepEqual(task.impressions, { shown: 8, untrained: 5, onlyClicked: 1 });
  assert.match(
    describeProtocol(task.protocol),
    /^3 impressions of 2 users, test rows .*ranked is what each showed/,
  );
});

test('impressions are another question than the catalogue, and other candidates another than these', () => {
  const { protocol } = evaluationTask(data, SETTINGS, IMPRESSIONS);
  comparable(protocol, evaluationTask(data, { ...SETTINGS, filterSeen: false }, IMPRESSIONS).protocol);
  assert.throws(() => comparable(protocol, evaluationTask(data, SETTINGS).protocol), {
    code: 'PROTOCOL_MISMATCH',
    message: /impressions \(3 against none\)/,
  });
  const other = impressionsOf([3, 2, -1, 3, 4, -5], [7, 4, 5, -3], [8, 4, 5], [9, 6, -1, 4]);
  assert.throws(() => comparable(protocol, evaluationTask(data, SETTINGS, other).protocol), {
    message: /querySet/,
  });
});

test('a baseline’s setting is chosen on the validation part’s impressions', async () => {
  const day = 86_400_000;
  // Item a was clicked twice long ago, b once just now; the validation shows both.
  const timed = makeDataset(
    [
      ['u', 'a', 'train', { time: 0 }],
      ['v', 'a', 'train', { time: 1 }],
      ['v', 'b', 'train', { time: 20 * day }],
      ['w', 'b', 'validation', { time: 21 * day }],
    ],
    { time: 'epoch' },
  );
  const options = { candidates: 'all', filterSeen: true, seed: 1, context: silent } as const;
  const impressions = impressionsOf([1, 3, -1, 2]);
  const chosen = await recentPopularity.fit(timed, { ...options, impressions });
  assert.ok('settings' in chosen && chosen.settings.days === 1);
  const none = await recentPopularity.fit(timed, { ...options, impressions: impressionsOf() });
  assert.ok('note' in none && /not chosen/.test(none.note!));
  const { evaluation } = impressionQueries(timed, impressions);
  const aucOf = async (fitted: Awaited<ReturnType<typeof popularity.fit>>): Promise<number> =>
    'scorer' in fitted ? (await evaluateScorer(fitted.scorer, evaluation, { ks: [1] })).metrics.auc! : NaN;
  assert.equal(await aucOf(chosen), 1);
  assert.equal(await aucOf(await popularity.fit(timed, options)), 0);
});
