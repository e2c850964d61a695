import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidateMask } from '../../src/evaluation/candidates.js';
import { evaluateScorer } from '../../src/evaluation/evaluate.js';
import { evaluationQueries } from '../../src/evaluation/queries.js';
import { close, makeDataset, type Row, tableScorer } from './fixture.js';

const rows: Row[] = [
  ['u', 'a', 'train'],
  ['u', 'b', 'test'],
  ['v', 'c', 'train'],
  ['v', 'd', 'test'],
];
// Items a … d are 1 … 4; d has no train row.
const scorer = tableScorer({ 1: [9, 8, 7, 6], 2: [9, 8, 7, 6] }, 4);

test('means and per-user values; seen items removed', async () => {
  const data = makeDataset(rows);
  const { metrics, perUser } = await evaluateScorer(scorer, evaluationQueries(data, 'test'), {
    ks: [1, 2],
    batchSize: 1,
  });
  // u: a is seen, b is first. v: c is seen; a, b before d: third.
  assert.deepEqual([...perUser.get('hr@1')!], [1, 0]);
  assert.equal(metrics['hr@1'], 0.5);
  assert.equal(metrics['ndcg@2'], 0.5);
});

test('with the seen kept the ranks fall', async () => {
  const data = makeDataset(rows);
  const { metrics } = await evaluateScorer(scorer, evaluationQueries(data, 'test'), {
    ks: [1],
    filterSeen: false,
  });
  assert.equal(metrics['hr@1'], 0);
});

test('a target outside the candidates is counted and misses', async () => {
  const data = makeDataset(rows, { split: { catalogue: 'train' } });
  const { metrics, unreachable } = await evaluateScorer(scorer, evaluationQueries(data, 'test'), {
    ks: [10],
    candidates: candidateMask(data),
  });
  // Neither b nor d has a train row.
  assert.equal(unreachable, 2);
  assert.equal(metrics['hr@10'], 0);
});

test('the size of a batch does not matter', async () => {
  const data = makeDataset(rows);
  const evaluation = evaluationQueries(data, 'test');
  const one = await evaluateScorer(scorer, evaluation, { ks: [1, 3], batchSize: 1 });
  const all = await evaluateScorer(scorer, evaluation, { ks: [1, 3] });
  assert.deepEqual(one.metrics, all.metrics);
});

test('coverage and popularity of the lists', async () => {
  const data = makeDataset([...rows, ['w', 'a', 'train']]);
  const { metrics } = await evaluateScorer(scorer, evaluationQueries(data, 'test'), {
    ks: [1, 2],
    popularity: data.catalogue.itemCounts,
  });
  // Lists at 2: u [b, c], v [a, b]; counts a 2, b 0, c 1, d 0.
  assert.equal(metrics['coverage@2'], 0.75);
  assert.ok(close(metrics['popularity@2']!, (0 + 1 + 2 + 0) / 4 / 2));
  assert.equal(metrics['coverage@1'], 0.5);
});

test('sampled ranking is marked in every name, repeats by seed, and never exceeds the full one’s rank', async () => {
  const items = 60;
  const events = Array.from({ length: 30 }, (_, u): Row[] => [
    [`u${u}`, `i${u}`, 'train'],
    [`u${u}`, `i${(u * 7 + 31) % items}`, 'test'],
  ]).flat();
  const data = makeDataset(events, { items: Array.from({ length: items }, (_, i) => `i${i}`) });
  const table = tableScorer(
    Object.fromEntries(
      Array.from({ length: 30 }, (_, u) => [
        u + 1,
        Array.from({ length: items }, (_, i) => (i * 37 + u * 11) % 61),
      ]),
    ),
    items,
  );
  const evaluation = evaluationQueries(data, 'test');
  const full = await evaluateScorer(table, evaluation, { ks: [5] });
  const run = (seed: number) => evaluateScorer(table, evaluation, { ks: [5], sampledNegatives: 20, seed });
  const sampled = await run(1);
  assert.deepEqual(
    Object.keys(sampled.metrics).filter((name) => !name.includes('of 20 sampled')),
    [],
  );
  assert.deepEqual((await run(1)).metrics, sampled.metrics);
  const hits = sampled.perUser.get('hr@5 (of 20 sampled)')!;
  for (const [u, hit] of full.perUser.get('hr@5')!.entries()) assert.ok(hits[u]! >= hit);
});

test('NaN names the scorer; an aborted signal interrupts', async () => {
  const data = makeDataset(rows);
  const evaluation = evaluationQueries(data, 'test');
  const broken = tableScorer({ 1: [1, Number.NaN, 2, 3], 2: [1, 2, 3, 4] }, 4, 'broken');
  await assert.rejects(evaluateScorer(broken, evaluation, { ks: [1] }), {
    code: 'DIVERGED',
    message: /^broken scored item 2/,
  });
  const context = { progress: () => {}, signal: AbortSignal.abort() };
  await assert.rejects(evaluateScorer(scorer, evaluation, { ks: [1], context }), { code: 'INTERRUPTED' });
});
