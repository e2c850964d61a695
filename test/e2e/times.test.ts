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

test('relativeTime and contrastive from raw rows to lists; histories without times are refused', {
  skip,
}, async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'recsys-times-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const recsys = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(ROOT, 'bin/recsys.js'), ...args, ...(args[0] === 'prepare' ? [] : ['--backend', 'wasm'])],
      { cwd, encoding: 'utf8' },
    );
    return { status, stdout, stderr };
  };
  const done = (...args: string[]): void => {
    const { status, stderr } = recsys(...args);
    assert.equal(status, 0, stderr);
  };
  const rows = ['user,item,time'];
  for (let user = 1; user <= 20; user++)
    for (let n = 0; n < 6; n++)
      rows.push(`u${user},i${1 + ((user + n * n) % 9)},${1e9 + 1000 * user + 60 * n ** 3}`);
  await writeFile(join(cwd, 'log.csv'), `${rows.join('\n')}\n`);
  const columns = (more: string): string =>
    `interactions: { path: log.csv, columns: { user: user, item: item${more} }`;
  await writeFile(join(cwd, 'prepare.yaml'), `${columns(', time: time')} }\n`);
  await writeFile(join(cwd, 'untimed.yaml'), `${columns('')}, rowsInOrder: true }\n`);
  done('prepare', '--config', 'prepare.yaml', '--out', 'dataset');
  done('prepare', '--config', 'untimed.yaml', '--out', 'untimed');
  const model =
    '{ name: transformer, width: 8, depth: 1, heads: 1, length: 5, dropout: 0.2, relativeTime: true }';
  await writeFile(join(cwd, 'pretrain.yaml'), `epochs: 2\nmodel: ${model}\ncontrastive: { weight: 0.1 }\n`);
  done('pretrain', '--config', 'pretrain.yaml', '--data', 'dataset', '--out', 'model');
  done('evaluate', '--data', 'dataset', '--model', 'model', '--out', 'evaluation');
  done('recommend', '--model', 'model', '--out', 'lists.csv');
  await writeFile(
    join(cwd, 'timed.jsonl'),
    '{"user": "u1", "events": [{"item": "i1", "time": 1000}, {"item": "i2", "time": 9000}]}\n',
  );
  done('recommend', '--model', 'model', '--histories', 'timed.jsonl', '--out', 'timed.csv');
  assert.match(await readFile(join(cwd, 'timed.csv'), 'utf8'), /\nu1,1,i\d/);
  await writeFile(join(cwd, 'plain.jsonl'), '{"user": "u1", "items": ["i1"]}\n');
  for (const args of [
    ['recommend', '--model', 'model', '--histories', 'plain.jsonl', '--out', 'plain.csv'],
    ['evaluate', '--data', 'untimed', '--model', 'model', '--out', 'other'],
    ['pretrain', '--config', 'pretrain.yaml', '--data', 'untimed', '--out', 'other'],
  ]) {
    const { status, stderr } = recsys(...args);
    assert.equal(status, 3, stderr);
    assert.match(stderr, /model\.relativeTime: the model reads the times of events, and .* has none/);
    assert.match(stderr, /→ Map a `time` column/);
  }
});
