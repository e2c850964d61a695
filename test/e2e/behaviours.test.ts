import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const skip = existsSync(join(ROOT, 'dist/main.js')) ? false : 'not built (npm run build)';

test('a plain model gets heads, is evaluated by behaviour, distilled, pruned, and asked for lists', {
  skip,
}, async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'recsys-behaviours-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const recsys = (...args: string[]) =>
    spawnSync(
      process.execPath,
      [join(ROOT, 'bin/recsys.js'), ...args, ...(args[0] === 'prepare' ? [] : ['--backend', 'wasm'])],
      { cwd, encoding: 'utf8' },
    );
  const done = (...args: string[]): string => {
    const { status, stdout, stderr } = recsys(...args);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const refused = (status: number, message: RegExp, ...args: string[]): void => {
    const run = recsys(...args);
    assert.equal(run.status, status, run.stderr);
    assert.match(run.stderr, message);
  };
  // After item n the next view is of n + 1, and the purchase of n + 4.
  const rows = ['user,item,what,time'];
  for (let user = 1; user <= 24; user++) {
    let at = user % 4;
    for (let n = 0; n < 8; n++) {
      const buys = n === 7 ? user % 2 === 0 : (user + n * n) % 3 === 0;
      if (!buys) at = (at + 1) % 4;
      rows.push(`u${user},${buys ? `i${at + 5},buy` : `i${at + 1},view`},${1e9 + 1000 * user + n}`);
    }
  }
  await writeFile(join(cwd, 'log.csv'), `${rows.join('\n')}\n`);
  const columns = '{ user: user, item: item, behaviour: what, time: time }';
  await writeFile(join(cwd, 'prepare.yaml'), `interactions: { path: log.csv, columns: ${columns} }\n`);
  done('prepare', '--config', 'prepare.yaml', '--out', 'dataset');
  const model = 'name: transformer, width: 8, depth: 1, heads: 1, length: 5, dropout: 0';
  await writeFile(join(cwd, 'pretrain.yaml'), `epochs: 2\nmodel: { ${model} }\n`);
  done('pretrain', '--config', 'pretrain.yaml', '--data', 'dataset', '--out', 'plain');
  const tuning = 'epochs: 3\nbehaviourHeads: true\ntargets: { weights: { buy: 2 } }\n';
  await writeFile(join(cwd, 'finetune.yaml'), `${tuning}validation: { metric: ndcg@10/buy }\n`);
  done('finetune', '--config', 'finetune.yaml', '--from', 'plain', '--data', 'dataset', '--out', 'heads');
  const log = (await readFile(join(cwd, 'heads/metrics.jsonl'), 'utf8')).trim().split('\n');
  assert.ok(log.every((line) => 'ndcg@10/buy' in JSON.parse(line) && 'hr@10/view' in JSON.parse(line)));

  const evaluate = 'models: [plain, heads]\nbaselines: [popularity]\nks: [1, 10]\nfilterSeen: false\n';
  await writeFile(join(cwd, 'evaluate.yaml'), `${evaluate}perBehaviour: true\nlatencyQueries: 0\n`);
  const table = done('evaluate', '--config', 'evaluate.yaml', '--data', 'dataset', '--out', 'evaluation');
  assert.match(table, /view \(12 users\) NDCG@10.*buy \(12 users\) NDCG@10/);
  assert.match(table, /heads: told the behaviour of the targets/);
  assert.doesNotMatch(table, /plain: told/);
  const results = JSON.parse(await readFile(join(cwd, 'evaluation/results.json'), 'utf8'));
  for (const { metrics, perBehaviour } of results.rows) {
    const { view, buy } = perBehaviour;
    assert.deepEqual([view.users, buy.users], [12, 12]);
    const mean = (view.metrics['ndcg@10'] + buy.metrics['ndcg@10']) / 2;
    assert.ok(Math.abs(mean - metrics['ndcg@10']) < 1e-6, 'one target a user: the tasks are its parts');
  }
  assert.match(await readFile(join(cwd, 'evaluation/report.html'), 'utf8'), /By behaviour/);

  const lists = async (name: string, ...args: string[]): Promise<string> => {
    done('recommend', '--model', name, '--out', 'lists.csv', '--force', ...args);
    return readFile(join(cwd, 'lists.csv'), 'utf8');
  };
  const bought = await lists('heads', '--behaviour', 'buy');
  assert.notEqual(bought, await lists('heads', '--behaviour', 'view'));
  assert.notEqual(bought, await lists('heads'));
  refused(
    2,
    /behaviour: the model has no behaviour heads/,
    'recommend',
    '--model',
    'plain',
    '--behaviour',
    'buy',
  );
  refused(2, /knows no "rent" \(it knows .*buy/, 'recommend', '--model', 'heads', '--behaviour', 'rent');

  const student = `student: { ${model}, behaviourHeads: true }\nepochs: 1\n`;
  await writeFile(join(cwd, 'distill.yaml'), student);
  done('distill', '--config', 'distill.yaml', '--teacher', 'heads', '--data', 'dataset', '--out', 'student');
  await writeFile(
    join(cwd, 'compress.yaml'),
    'prune: { method: structured, parts: [width], share: 0.25 }\nfinetune: { epochs: 1 }\nquantize: int8\n',
  );
  done('compress', '--config', 'compress.yaml', '--from', 'heads', '--data', 'dataset', '--out', 'small');
  for (const name of ['student', 'small'])
    assert.notEqual(await lists(name, '--behaviour', 'buy'), await lists(name, '--behaviour', 'view'), name);
});
