import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder } from '../data/helpers.js';
import { ROOT, recsys, refused } from '../suites/binary.js';

const skip = existsSync(join(ROOT, 'dist/main.js')) ? false : 'not built (npm run build)';

test('impressions from raw lines to a table: baselines and a model rank what was shown', {
  skip,
}, async (t) => {
  // Readers of even articles click even ones, of odd ones odd ones.
  const lines = Array.from({ length: 60 }, (_, n) => {
    const parity = n % 2;
    const read = Array.from({ length: 6 }, (_, i) => `n${(2 * (n + i * 3) + parity) % 12}`);
    const [own, other] = [parity, 1 - parity].map((p) => `n${(2 * n + p) % 12}`);
    return `${n}\tu${n % 20}\t1/${1 + Math.floor(n / 20)}/2020\t${read.join(' ')}\t${own}-1 ${other}-0 x${n % 3}-0`;
  });
  // All that one shows is clicked; another shows an article without saying whether it was.
  lines.push('60\tu1\t1/3/2020\tn1\tn3-1', '61\tu1\t1/3/2020\tn1\tn3');
  const cwd = await folder(t, {
    'behaviors.tsv': `${lines.join('\n')}\n`,
    'prepare.yaml': [
      'interactions: { path: behaviors.tsv, format: mind, timeFormat: "%m/%d/%Y", impressions: true }',
      'split: { kind: global-time, validation: "2020-01-02", test: "2020-01-03" }',
    ].join('\n'),
    'pretrain.yaml':
      'epochs: 30\nmodel: { name: transformer, width: 8, depth: 1, heads: 1, length: 8, dropout: 0 }\noptimizer: { name: adam, learningRate: 0.02 }\n',
  });
  const done = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await recsys(args, cwd);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  await done('prepare', '--config', 'prepare.yaml', '--out', 'dataset');
  assert.match(await readFile(join(cwd, 'dataset/rejected.csv'), 'utf8'), /behaviors\.tsv,62,.*,n3\n/);
  assert.match(await done('inspect', 'dataset'), /impressions +20 train, 20 validation, 21 test/);
  const train = ['--config', 'pretrain.yaml', '--data', 'dataset', '--backend', 'wasm', '--out', 'model'];
  await done('pretrain', ...train);
  const asked = ['--data', 'dataset', '--impressions', '--model', 'model', '--backend', 'wasm'];
  const printed = JSON.parse(await done('evaluate', ...asked, '--json', '--out', 'evaluation'));
  assert.equal(printed.protocol.impressions, 20);
  const rows = new Map(printed.rows.map((row: { name: string }) => [row.name, row]));
  for (const name of ['popularity', 'itemknn', 'ease', 'model'])
    assert.deepEqual(Object.keys((rows.get(name) as { metrics: object }).metrics), [
      ...['auc', 'mrr', 'ndcg@1', 'ndcg@5', 'ndcg@10', 'ndcg@20'],
    ]);
  assert.ok(printed.metrics['model/auc'] > 0.9, `AUC ${printed.metrics['model/auc']}`);
  assert.ok(printed.rows.every((row: { intervals: object }) => 'auc' in row.intervals));
  const text = await done('evaluate', ...asked, '--against', 'evaluation', '--out', 'again');
  assert.match(text, /20 impressions of 20 users/);
  assert.match(text, /1 impressions are left out: all that they showed was clicked/);
  assert.match(text, /33\.3 % of the 60 items shown have no train row/);
  assert.match(text, /model − model \(against\): ndcg@10 0 \[0, 0\], paired by impression/);
  await writeFile(
    join(cwd, 'plain.yaml'),
    'interactions: { path: behaviors.tsv, format: mind, timeFormat: "%m/%d/%Y" }\n',
  );
  await done('prepare', '--config', 'plain.yaml', '--out', 'plain');
  await refused(
    3,
    /keeps no impressions.*\n.*interactions\.impressions/,
    recsys(['evaluate', '--data', 'plain', '--impressions', '--out', 'no'], cwd),
  );
  await refused(
    2,
    /candidates: does not go with `impressions`/,
    recsys(
      ['evaluate', '--data', 'dataset', '--impressions', '--set', 'candidates=train', '--out', 'no'],
      cwd,
    ),
  );
});
