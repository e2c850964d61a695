import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { type Ended, ROOT, recsys as runBinary } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/training/ridge/fit.js'));

describe('a sparse-linear student', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';
  const recsys = (...args: string[]): Promise<Ended> => runBinary(args, cwd);
  const wasm = (...args: string[]): Promise<Ended> => recsys(...args, '--backend', 'wasm');
  const ok = async (running: Promise<Ended>): Promise<Ended> => {
    const ended = await running;
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  };

  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-ridge-e2e-'));
    const rows = ['user,item,time'];
    for (let user = 1; user <= 60; user++)
      for (let n = 0; n < 9; n++) rows.push(`u${user},i${1 + ((user * 7 + n * 3) % 40)},${1000 * user + n}`);
    const files = {
      'log.csv': `${rows.join('\n')}\n`,
      'prepare.yaml':
        'interactions: { path: log.csv, columns: { user: user, item: item, time: time } }\nsplit: { kind: leave-last-out }\n',
      'teacher.yaml': 'model: { name: linear, width: 8 }\nepochs: 2\n',
      'student.yaml':
        'student: { name: sparse-linear, neighbours: 8 }\nhard: { weight: 0.5 }\nridge: { lambda: [1, 10], decay: [0.3, 0.8] }\n',
      'alone.yaml':
        'model: { name: sparse-linear, neighbours: 8 }\nridge: { lambda: [1, 10], decay: [0.3, 0.8] }\n',
      'wide.yaml': 'model: { name: sparse-linear }\nridge: { inputs: 40 }\n',
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
    await ok(recsys('prepare', '-c', 'prepare.yaml', '-o', 'dataset'));
    await ok(wasm('pretrain', '-c', 'teacher.yaml', '--data', 'dataset', '-o', 'teacher'));
    const given = ['-c', 'student.yaml', '--data', 'dataset', '--teacher', 'teacher'];
    await ok(wasm('distill', ...given, '-o', 'student'));
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  test('is a checkpoint like others, with its lineage and its one row of metrics', async () => {
    const { manifest, tensors } = await readCheckpoint(join(cwd, 'student'));
    assert.equal(manifest.model.name, 'sparse-linear');
    assert.deepEqual(
      manifest.lineage.map(({ model }) => model),
      ['linear'],
    );
    assert.ok(manifest.metrics['ndcg@10']! > 0.5, 'what follows follows a rule');
    assert.equal(tensors.get('item.neighbours')!.dtype, 'I32');
    assert.deepEqual(tensors.get('item.weights')!.shape, [41, 8]);
    const lines = (await readFile(join(cwd, 'student/metrics.jsonl'), 'utf8')).trim().split('\n');
    assert.equal(lines.length, 1);
    assert.ok([1, 10].includes(JSON.parse(lines[0]!).lambda), lines[0]);
    assert.ok(existsSync(join(cwd, 'student/report.html')), 'a report');
    await ok(recsys('inspect', 'student'));
  });

  test('again it has the same bits; its control is fitted to labels', async () => {
    const sum = async (of: string) =>
      (await readCheckpoint(join(cwd, of))).manifest.files['model.safetensors']!.sha256;
    const given = ['-c', 'student.yaml', '--data', 'dataset', '--teacher', 'teacher'];
    await ok(wasm('distill', ...given, '-o', 'again'));
    assert.equal(await sum('again'), await sum('student'));
    await ok(wasm('pretrain', '-c', 'alone.yaml', '--data', 'dataset', '-o', 'alone'));
    assert.notEqual(await sum('alone'), await sum('student'));
  });

  test('is evaluated, compressed and fine-tuned like others', async () => {
    await ok(
      wasm(
        'evaluate',
        '--data',
        'dataset',
        '--model',
        'student',
        '-o',
        'evaluation',
        '--set',
        'baselines=[]',
      ),
    );
    await ok(
      wasm('compress', '--from', 'student', '--data', 'dataset', '-o', 'int8', '--set', 'quantize=int8'),
    );
    const { tensors } = await readCheckpoint(join(cwd, 'int8'));
    assert.equal(tensors.get('item.weights')!.dtype, 'I8');
    assert.equal(tensors.get('item.neighbours')!.dtype, 'I32');
    await ok(wasm('finetune', '--from', 'student', '--data', 'dataset', '-o', 'tuned', '--set', 'epochs=1'));
  });

  test('more inputs than are fitted are refused, and nothing is written', async () => {
    const { code, stderr } = await wasm('pretrain', '-c', 'wide.yaml', '--data', 'dataset', '-o', 'wide');
    assert.equal(code, 2, stderr);
    assert.match(stderr, /ridge\.inputs: the model has 41 inputs .*at most 40/);
    assert.doesNotMatch(stderr, /^ {4}at /m);
    assert.equal(existsSync(join(cwd, 'wide')), false);
  });
});
