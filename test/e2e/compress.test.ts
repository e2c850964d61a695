import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { sha256 } from '../../src/storage/hash.js';
import { unpack } from '../../src/storage/quantization.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/storage/safetensors.js';
import { type Ended, ROOT, start } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/commands/compress.js'));

const figures = z.looseObject({
  bytes: z.number(),
  parameters: z.number(),
  nonZero: z.number(),
  milliseconds: z.number().optional(),
  'ndcg@10': z.number(),
});
const resultSchema = z.object({
  path: z.string(),
  metrics: z.record(z.string(), z.number()),
  before: figures,
  after: figures,
  seconds: z.number(),
});

describe('recsys compress', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';

  async function recsys(args: readonly string[], signalOn?: RegExp): Promise<Ended> {
    const { child, ended } = start(args, cwd);
    child.stdin.end();
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
      if (signalOn?.test(said) && !child.killed) child.kill('SIGTERM');
    });
    return ended;
  }
  const compress = (from: string, out: string, ...args: string[]) =>
    recsys(
      ['compress', '--from', from, '--data', 'dataset', '-o', out, '--backend', 'wasm', '--json'].concat(
        args,
      ),
    );
  const result = (ended: Ended) => {
    assert.equal(ended.code, 0, ended.stderr);
    return resultSchema.parse(JSON.parse(ended.stdout));
  };
  const refused = ({ code, stdout, stderr }: Ended, exit: number, message: RegExp): void => {
    assert.equal(code, exit, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^ {4}at /m, 'no stack for a mistake');
  };

  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-compress-'));
    const rows = ['user,item,time'];
    for (let user = 1; user <= 60; user++) {
      for (let n = 0; n < 9; n++) rows.push(`u${user},i${1 + ((user * 7 + n * 3) % 40)},${1000 * user + n}`);
    }
    await writeFile(join(cwd, 'log.csv'), `${rows.join('\n')}\n`);
    await writeFile(
      join(cwd, 'prepare.yaml'),
      'interactions: { path: log.csv, columns: { user: user, item: item, time: time } }\nsplit: { kind: leave-last-out }\n',
    );
    const prepared = await recsys(['prepare', '-c', 'prepare.yaml', '-o', 'dataset']);
    assert.equal(prepared.code, 0, prepared.stderr);
    const model = 'model={ name: transformer, width: 32, depth: 2, heads: 2, length: 8 }';
    const trained = await recsys(
      ['pretrain', '--data', 'dataset', '-o', 'teacher', '--backend', 'wasm', '--set', model].concat(
        '--set',
        'epochs=4',
      ),
    );
    assert.equal(trained.code, 0, trained.stderr);
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  test('int8: a third of the bytes of so small a model, and the same to every reader', {
    timeout: 120_000,
  }, async () => {
    const { before: was, after: is } = result(await compress('teacher', 'int8', '--quantize', 'int8'));
    const { manifest } = await readCheckpoint(join(cwd, 'teacher'));
    assert.equal(was.bytes, manifest.model.bytes);
    // The header and the vectors, which stay as they are, weigh more here than in a model of use.
    assert.ok(is.bytes <= 0.35 * was.bytes, `${is.bytes} of ${was.bytes}`);
    assert.equal(is.parameters, manifest.model.parameters);
    assert.ok(is.milliseconds! > 0);
    const quantized = await readCheckpoint(join(cwd, 'int8'));
    assert.deepEqual(
      [quantized.manifest.formatVersion, quantized.manifest.model.quantization, quantized.manifest.stage],
      [2, 'int8', 'compress'],
    );
    assert.equal(quantized.manifest.model.bytes, is.bytes);
    assert.equal(quantized.manifest.lineage.at(-1)!.path, join(cwd, 'teacher'));
    assert.equal(quantized.manifest.metrics['ndcg@10'], is['ndcg@10']);
    const report = await readFile(join(cwd, 'int8/report.html'), 'utf8');
    assert.match(report, /Comparison[\s\S]*before[\s\S]*after/);
    const inspected = await recsys(['inspect', 'int8']);
    assert.equal(inspected.code, 0, inspected.stderr);
    assert.match(inspected.stdout, /KB, int8\)[\s\S]*item\.embedding +I8 +\[41, 32\]/);
    const compared = await recsys(
      [
        'evaluate',
        '--data',
        'dataset',
        '--model',
        'teacher',
        '--model',
        'int8',
        '-o',
        'evaluation',
        '--json',
      ].concat('--backend', 'wasm'),
    );
    assert.equal(compared.code, 0, compared.stderr);
    const { rows: table } = JSON.parse(compared.stdout) as { rows: { name: string; bytes: number }[] };
    assert.equal(table.find(({ name }) => name === 'int8')!.bytes, is.bytes);
    const listed = await recsys(['recommend', '--model', 'int8', '-o', 'lists.csv', '--backend', 'wasm']);
    assert.equal(listed.code, 0, listed.stderr);
    const distilled = await recsys(
      ['distill', '--teacher', 'int8', '--data', 'dataset', '-o', 'student', '--backend', 'wasm'].concat(
        '--set',
        'epochs=1',
        '--set',
        'student={ name: linear, width: 4, length: 8 }',
      ),
    );
    assert.equal(distilled.code, 0, distilled.stderr);
    const student = await readCheckpoint(join(cwd, 'student'));
    assert.deepEqual([student.manifest.formatVersion, student.manifest.model.quantization], [1, undefined]);
  });

  test('prune, fine-tune and quantize at once; chained, the zeros are kept', {
    timeout: 120_000,
  }, async () => {
    const pruning = ['--set', 'prune.share=0.5', '--set', 'finetune.epochs=2'];
    const once = result(await compress('teacher', 'once', ...pruning, '--quantize', 'int8'));
    assert.ok(once.after.nonZero < 0.55 * once.before.nonZero);
    assert.equal((await readFile(join(cwd, 'once/metrics.jsonl'), 'utf8')).trim().split('\n').length, 2);
    result(await compress('teacher', 'pruned', ...pruning));
    const twice = result(await compress('pruned', 'twice', '--quantize', 'int8'));
    assert.equal(twice.after.bytes, once.after.bytes);
    const read = async (name: string) => unpack((await readCheckpoint(join(cwd, name))).tensors, name);
    assert.deepEqual(await read('twice'), await read('once'), 'the same weights either way');
    const [pruned, quantized] = [await read('pruned'), await read('twice')];
    const query = pruned.get('blocks.0.attention.query')!.data;
    const packed = quantized.get('blocks.0.attention.query')!.data;
    assert.ok(query.every((weight, i) => weight !== 0 || packed[i] === 0));
    const { lineage } = (await readCheckpoint(join(cwd, 'twice'))).manifest;
    assert.deepEqual(
      lineage.map(({ stage }) => stage),
      ['pretrain', 'compress'],
    );
  });

  test('structured: a smaller model that can be trained further', { timeout: 120_000 }, async () => {
    const parts = ['--set', 'prune={ method: structured, parts: [heads, channels, layers] }'];
    const { before: was, after: is } = result(
      await compress('teacher', 'small', ...parts, '--set', 'finetune.epochs=1'),
    );
    assert.ok(is.parameters < 0.6 * was.parameters && is.bytes < 0.6 * was.bytes);
    const tuned = await recsys(
      ['finetune', '--from', 'small', '--data', 'dataset', '-o', 'tuned', '--backend', 'wasm'].concat(
        '--set',
        'epochs=1',
      ),
    );
    assert.equal(tuned.code, 0, tuned.stderr);
    const { config } = (await readCheckpoint(join(cwd, 'tuned'))).manifest.model;
    assert.deepEqual([config.depth, config.heads, config.headWidth, config.feedForward], [1, 1, 16, 1]);
  });

  test('training does not go on from a quantized checkpoint, and says from which it can', async () => {
    result(await compress('teacher', 'half', '--quantize', 'float16', '--set', 'latencyQueries=0'));
    const way = new RegExp(`half holds float16 weights[\\s\\S]*float32 parent, ${join(cwd, 'teacher')}`);
    for (const [stage, ...more] of [['finetune'], ['pretrain'], ['compress', '--quantize', 'int8']]) {
      const out = `again-${stage}`;
      const args = [stage!, '--from', 'half', '--data', 'dataset', '-o', out, ...more];
      refused(await recsys(args), 4, way);
      assert.ok(!existsSync(join(cwd, out)));
    }
  });

  test('bad input is named, and nothing is written', async () => {
    refused(await compress('teacher', 'bad'), 2, /quantize: there is nothing to do/);
    refused(await compress('teacher', 'bad', '--quantize', 'int4'), 2, /found \\?"int4\\?"/);
    refused(
      await compress('teacher', 'bad', '--set', 'prun.share=0.5'),
      2,
      /prun: unknown key; did you mean \\?"prune\\?"/,
    );
    refused(
      await compress('teacher', 'bad', '--set', 'prune.shar=0.5'),
      2,
      /prune\.shar: unknown key; did you mean \\?"share\\?"/,
    );
    for (const share of ['1', '.nan'])
      refused(await compress('teacher', 'bad', '--set', `prune.share=${share}`), 2, /prune\.share: expected/);
    refused(
      await compress('teacher', 'bad', '--set', 'prune={ method: structured, parts: [tails] }'),
      2,
      /prune\.parts\.0: expected/,
    );
    refused(
      await compress('dataset', 'bad', '--quantize', 'int8'),
      4,
      /expected a checkpoint, found a dataset/,
    );
    assert.deepEqual(
      (await readdir(cwd)).filter((name) => name.startsWith('bad')),
      [],
    );
  });

  test('a weight that is NaN is refused with its place', async () => {
    await cp(join(cwd, 'teacher'), join(cwd, 'nan'), { recursive: true });
    const file = join(cwd, 'nan/model.safetensors');
    const tensors = decodeSafetensors(await readFile(file), file);
    tensors.get('item.embedding')!.data[7] = Number.NaN;
    const bytes = encodeSafetensors(tensors);
    await writeFile(file, bytes);
    const manifest = JSON.parse(await readFile(join(cwd, 'nan/manifest.json'), 'utf8')) as {
      files: Record<string, unknown>;
    };
    manifest.files['model.safetensors'] = { bytes: bytes.byteLength, sha256: sha256(bytes) };
    await writeFile(join(cwd, 'nan/manifest.json'), JSON.stringify(manifest));
    refused(
      await compress('nan', 'bad', '--quantize', 'int8'),
      4,
      /tensor \\?"item\.embedding\\?" holds NaN at position 7/,
    );
  });

  test('stopped while it fine-tunes, it goes on with --resume', { timeout: 120_000 }, async () => {
    const args = ['--set', 'prune.share=0.5', '--set', 'finetune.epochs=8', '--set', 'validation.patience=0'];
    const all = ['compress', '--from', 'teacher', '--data', 'dataset', '-o', 'stopped', '--backend', 'wasm'];
    const stopped = await recsys([...all, ...args, '--json'], /"epoch":3/);
    assert.equal(stopped.code, 130, stopped.stderr);
    assert.match(stopped.stderr, /--resume/);
    result(await recsys([...all, ...args, '--resume', '--json']));
    result(await compress('teacher', 'unstopped', ...args));
    const weights = (out: string) => readFile(join(cwd, out, 'model.safetensors'));
    assert.deepEqual(await weights('stopped'), await weights('unstopped'));
  });

  test('as a stage of a pipeline', { timeout: 120_000 }, async () => {
    await writeFile(
      join(cwd, 'pipeline.yaml'),
      [
        'backend: wasm',
        'vars: { dataset: { path: dataset }, teacher: { path: teacher } }',
        'stages:',
        `  - { id: pruned, stage: compress, with: { from: "\${teacher}", data: "\${dataset}", prune: { share: 0.5 }, finetune: { epochs: 1 } } }`,
        `  - { id: int8, stage: compress, with: { from: "\${pruned}", data: "\${dataset}", quantize: int8 } }`,
      ].join('\n'),
    );
    const run = await recsys(['run', 'pipeline.yaml', '-o', 'runs', '--json']);
    assert.equal(run.code, 0, run.stderr);
    const { stages } = JSON.parse(run.stdout) as {
      stages: { id: string; metrics: Record<string, number> }[];
    };
    assert.deepEqual(
      stages.map(({ id, metrics }) => [id, typeof metrics['ndcg@10']]),
      [
        ['pruned', 'number'],
        ['int8', 'number'],
      ],
    );
  });
});
