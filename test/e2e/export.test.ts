import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { activeInstall } from '../../src/compute/native/cache.js';
import { decodeNpy } from '../../src/storage/npy.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BINARY = join(ROOT, 'bin/recsys.js');
const built = existsSync(join(ROOT, 'dist/main.js'));
const native = activeInstall() !== undefined;
/** A Python that has TensorFlow and ONNX Runtime: where RECSYS_PYTHON points, or the one on the path. */
const PYTHON = process.env.RECSYS_PYTHON ?? 'python3';
const find = 'from importlib.util import find_spec as f; exit(not (f("tensorflow") and f("onnxruntime")))';
const foreign = spawnSync(PYTHON, ['-c', find]).status === 0;

describe('recsys export', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';
  const recsys = (...args: string[]) =>
    spawnSync(process.execPath, [BINARY, ...args], { cwd, encoding: 'utf8' });
  const done = (...args: string[]) => {
    const { status, stdout, stderr } = recsys(...args, '--json', '--quiet');
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
  };
  const refused = (code: number, message: RegExp, ...args: string[]): void => {
    const { status, stdout, stderr } = recsys(...args);
    assert.equal(status, code, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^ {4}at /m, 'no stack for a mistake');
  };
  const json = async (...path: string[]) => JSON.parse(await readFile(join(cwd, ...path), 'utf8'));

  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-export-'));
    const rows = ['user,item,time,kind'];
    for (let user = 1; user <= 30; user++)
      for (let n = 0; n < 6; n++)
        rows.push(`u${user},i${1 + ((user * 7 + n * n) % 20)},${1000 * user + n},${n % 2 ? 'view' : 'buy'}`);
    await writeFile(join(cwd, 'log.csv'), `${rows.join('\n')}\n`);
    await writeFile(
      join(cwd, 'prepare.yaml'),
      'interactions: { path: log.csv, columns: { user: user, item: item, time: time, behaviour: kind } }\nsplit: { kind: leave-last-out }\n',
    );
    done('prepare', '-c', 'prepare.yaml', '-o', 'dataset');
    const small = '{ name: transformer, width: 8, depth: 1, length: 7 }';
    const train = ['pretrain', '--data', 'dataset', '--backend', 'wasm', '--set', 'epochs=1', '--set'];
    done(...train, `model=${small}`, '-o', 'model');
    done(...train, 'model={ name: mlp, width: 4, hidden: [4] }', '-o', 'mlp');
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  test('item vectors work on every backend, with real histories', async () => {
    const args = ['export', '--model', 'model', '--format', 'item-vectors', '--backend', 'wasm'];
    const result = done(...args, '--data', 'dataset', '--set', 'vectors=both', '-o', 'vectors');
    // There are 30 users, and 100 requests were asked for.
    assert.equal(result.parity.requests, 30);
    assert.ok(result.metrics['parity/scores'] < 1e-5);
    const signature = await json('vectors', 'signature.json');
    assert.deepEqual(Object.keys(signature.files), ['items.parquet', 'vectors.npy', 'offsets.npy']);
    const { shape } = decodeNpy(await readFile(join(cwd, 'vectors/vectors.npy')), 'vectors.npy');
    assert.deepEqual(shape, [signature.items + 1, 8]);
    const manifest = await json('vectors', 'manifest.json');
    assert.equal(manifest.lineage.at(-1).path, join(cwd, 'model'));
    const explained = done('inspect', 'vectors');
    assert.deepEqual([explained.kind, explained.verified], ['export', true]);
    refused(2, /vectors exists already/, ...args, '-o', 'vectors');
    done(...args, '--force', '-o', 'vectors');
  });

  test('mistakes are named', async () => {
    refused(2, /did you mean "onnx"/, 'export', '--model', 'model', '--format', 'onx');
    refused(
      4,
      /mlp has no item vectors[\s\S]*--format savedmodel or onnx/,
      'export',
      '--model',
      'mlp',
      '--format',
      'item-vectors',
    );
    refused(
      5,
      /tensorflow backend[\s\S]*item-vectors/,
      'export',
      '--model',
      'model',
      '--format',
      'onnx',
      '--backend',
      'wasm',
    );
    refused(3, /no such directory/, 'export', '--model', 'none', '--format', 'onnx');
    refused(
      5,
      /differs from the checkpoint/,
      'export',
      '--model',
      'model',
      '--format',
      'item-vectors',
      '--set',
      'parity.tolerance=1e-12',
    );
    assert.equal(existsSync(join(cwd, 'export')), false, 'a model that differs is not left behind');
    assert.equal(existsSync(join(cwd, 'export.partial')), false);
    const weights = join(cwd, 'mlp/model.safetensors');
    const bytes = await readFile(weights);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(weights, bytes);
    refused(4, /model\.safetensors was altered/, 'export', '--model', 'mlp', '--format', 'onnx');
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(weights, bytes);
  });

  describe('graphs', { skip: native ? false : 'the native backend is not installed' }, () => {
    before(() => {
      const store = ['--set', 'parity.requests=150', '--set', 'parity.store=true', '--force'];
      for (const model of ['model', 'mlp'])
        for (const format of ['savedmodel', 'onnx'])
          done('export', '--model', model, '--format', format, '-o', `${model}-${format}`, ...store);
    });

    test('say what they take and give, and show a request', async () => {
      const signature = await json('model-onnx', 'signature.json');
      const ports = (list: { name: string; shape: unknown }[]) =>
        list.map(({ name, shape }) => [name, shape]);
      assert.deepEqual(ports(signature.inputs), [
        ['items', ['batch', 7]],
        ['behaviours', ['batch', 7]],
      ]);
      assert.deepEqual(ports(signature.outputs), [
        ['scores', ['batch', signature.items + 1]],
        ['state', ['batch', 8]],
        ['top', ['batch', 10]],
      ]);
      const example = await json('model-savedmodel', 'example.json');
      assert.equal(example.inputs.items[0].length, 7);
      assert.equal(example.expected.best.length, 10);
      assert.deepEqual((await json('model-savedmodel', 'signature.json')).signature, 'serving_default');
    });

    test('give in TensorFlow’s and ONNX Runtime’s Python what the checkpoint gives', {
      skip: foreign ? false : `${PYTHON} has no tensorflow and onnxruntime`,
    }, () => {
      done(
        'export',
        '--model',
        'model',
        '--format',
        'item-vectors',
        '--set',
        'vectors=npy',
        '--force',
        '-o',
        'npy',
      );
      const script = join(ROOT, 'bench/foreign/check_export.py');
      const check = (...folders: string[]) =>
        spawnSync(PYTHON, [script, ...folders], { cwd, encoding: 'utf8' });
      for (const folders of [
        ['model-savedmodel', 'model-onnx', 'npy'],
        ['mlp-savedmodel', 'mlp-onnx'],
      ]) {
        const { status, stdout, stderr } = check(...folders);
        assert.equal(status, 0, `${stdout}${stderr}`);
        assert.equal(stdout.match(/150 requests/g)?.length, 2);
      }
      // A wrong model is seen: one that was asked the other's requests.
      copyFileSync(join(cwd, 'mlp-onnx/requests.safetensors'), join(cwd, 'model-onnx/requests.safetensors'));
      assert.equal(check('model-onnx').status, 1);
    });
  });
});
