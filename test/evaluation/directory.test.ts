import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { baselines } from '../../src/evaluation/baselines/registry.js';
import { measure } from '../../src/evaluation/contender.js';
import { alignedRows, readEvaluation, writeEvaluation } from '../../src/evaluation/directory.js';
import type { Results } from '../../src/evaluation/results.js';
import {
  againstBestBaseline,
  againstControls,
  againstEarlier,
  checkControls,
} from '../../src/evaluation/summary.js';
import { evaluationTask } from '../../src/evaluation/task.js';
import { makeDataset, type Row, silent, tableScorer } from './fixture.js';

const root = await mkdtemp(join(tmpdir(), 'recsys-evaluation-'));
after(() => rm(root, { recursive: true, force: true }));

const rows: Row[] = Array.from({ length: 12 }, (_, u): Row[] => [
  [`u${u}`, `i${u % 3}`, 'train'],
  [`u${u}`, `i${(u + 1) % 4}`, 'test'],
]).flat();
const data = makeDataset(rows, { items: ['i0', 'i1', 'i2', 'i3'] });
const task = evaluationTask(data, { part: 'test', ks: [1, 2], filterSeen: true, seed: 1 });
const options = { resamples: 200, latencyQueries: 4, context: silent };

async function contenders() {
  const fitted = await baselines.popularity.fit(data, {
    candidates: task.candidates,
    filterSeen: true,
    seed: 1,
  });
  assert.ok('scorer' in fitted);
  const popularity = await measure({ name: 'popularity', kind: 'baseline', ...fitted }, task, options);
  const perfect = tableScorer(
    Object.fromEntries(
      Array.from({ length: 12 }, (_, u) => [u + 1, [0, 1, 2, 3].map((i) => (i === (u + 1) % 4 ? 1 : 0))]),
    ),
    4,
  );
  const model = await measure(
    { name: 'perfect', kind: 'model', scorer: perfect, parameters: 4, bytes: 16 },
    task,
    options,
  );
  return [popularity, model];
}

async function written(name: string) {
  const dir = join(root, name);
  const measured = await contenders();
  const results: Results = {
    kind: 'evaluation',
    formatVersion: 1,
    dataset: { path: data.path, name: 'tiny' },
    protocol: task.protocol,
    rows: measured.map(({ row }) => row),
    skipped: [],
    differences: againstBestBaseline(measured, 'ndcg@2', { resamples: 200, seed: 1 }),
    seconds: 1,
  };
  const users = task.evaluation.queries.map(({ user }) => data.catalogue.users[user]!);
  await mkdir(dir);
  await writeEvaluation(dir, {
    results,
    users,
    perUser: new Map(measured.map(({ row, perUser }) => [row.name, perUser])),
  });
  return { dir, results, users, measured };
}

test('what is written is read again, the per-user values bit for bit', async () => {
  const { dir, results, users, measured } = await written('whole');
  const stored = await readEvaluation(dir);
  assert.deepEqual(stored.results, JSON.parse(JSON.stringify(results)));
  assert.deepEqual(stored.users, users);
  for (const { row, perUser } of measured) assert.deepEqual(stored.perUser.get(row.name), perUser);
  assert.equal(JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')).kind, 'evaluation');
});

test('a row has its interval around its mean, and the time of a request', async () => {
  const [, perfect] = await contenders();
  assert.deepEqual(perfect!.row.intervals['ndcg@1'], { mean: 1, low: 1, high: 1 });
  assert.ok(perfect!.row.milliseconds! >= 0);
  assert.equal(perfect!.row.metrics['hr@1'], 1);
});

test('the best baseline is what a model is compared with, user by user', async () => {
  const { results } = await written('differences');
  const [difference] = results.differences;
  assert.deepEqual([difference!.row, difference!.against], ['perfect', 'popularity']);
  assert.ok(difference!.metrics['ndcg@2']!.low > 0);
});

test('an earlier evaluation is aligned by user id, and its rows compared by name', async () => {
  const { dir, users, measured } = await written('earlier');
  const stored = await readEvaluation(dir);
  const turned = users.toReversed();
  const aligned = alignedRows(stored, turned);
  const values = measured[0]!.perUser.get('ndcg@1')!;
  assert.deepEqual([...aligned[0]!.perUser.get('ndcg@1')!], [...values].toReversed());
  const differences = againstEarlier(measured, alignedRows(stored, users), { resamples: 200, seed: 1 });
  assert.deepEqual(
    differences.map(({ row, against }) => [row, against]),
    [
      ['popularity', 'popularity (against)'],
      ['perfect', 'perfect (against)'],
    ],
  );
  assert.ok(
    differences.every(({ metrics }) =>
      Object.values(metrics).every(({ low, high }) => low === 0 && high === 0),
    ),
  );
  assert.throws(() => alignedRows(stored, ['stranger']), { code: 'PROTOCOL_MISMATCH' });
});

test('a directory that is none, and a damaged one, are refused by name', async () => {
  await assert.rejects(readEvaluation(join(root, 'nowhere')), {
    code: 'FILE_MISSING',
    message: /nowhere is no evaluation/,
  });
  const { dir } = await written('damaged');
  await appendFile(join(dir, 'results.json'), '}');
  await assert.rejects(readEvaluation(dir), {
    code: 'DATA_UNREADABLE',
    message: /results\.json is not JSON/,
  });
  await writeFile(join(dir, 'results.json'), '{"kind":"checkpoint"}');
  await assert.rejects(readEvaluation(dir), { code: 'DATA_UNREADABLE', message: /no evaluation/ });
});

test('a row is compared with its control user by user; a control that is no row is refused', async () => {
  const measured = await contenders();
  const options = { resamples: 200, seed: 1 };
  const [found] = againstControls(measured, { perfect: 'popularity' }, options);
  const [expected] = againstBestBaseline(measured, 'ndcg@2', options);
  assert.deepEqual(found, expected);
  const names = measured.map(({ row }) => row.name);
  checkControls({ perfect: 'popularity' }, names);
  assert.throws(() => checkControls({ perfect: 'popularty' }, names), {
    code: 'CONFIG_INVALID',
    message: /controls: there is no row "popularty"; did you mean "popularity"/,
  });
});
