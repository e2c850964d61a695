import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { resultsSchema } from '../../src/evaluation/results.js';
import { Random } from '../../src/random.js';
import { type Ended, ROOT, refused, recsys as runBinary } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/training/replay.js'));

/** Users that go through 30 items, each `step` places after the one before it: what the last item alone says differs with the step. */
function log(step: number, rename = (item: number): string => `i${item}`): string {
  const rng = Random.of(1, 'finetune e2e', step);
  const rows = ['user,item,time'];
  for (let u = 1; u <= 60; u++) {
    let at = rng.int(30);
    for (let t = 0; t < 10; t++) {
      at = (at + step) % 30;
      rows.push(`u${u},${rename(at)},${1000 + t}`);
    }
  }
  return `${rows.join('\n')}\n`;
}

// By the loss, the last epoch is kept.
const training =
  'batchSize: 16\noptimizer: { learningRate: 0.02 }\nvalidation: { patience: 0, metric: loss }\n';
const FILES = {
  'pretrain.yaml': `model: { name: mlp, width: 16, hidden: [32], user: history, length: 1 }\nepochs: 12\n${training}`,
  'tune.yaml': `epochs: 8\n${training}`,
  'evaluate.yaml':
    'baselines: []\nmodels: [{ name: base, path: base }, { name: alone, path: alone }, { name: replayed, path: replayed }]\n',
};

describe('finetune by the command line', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';
  const ok = async (...args: string[]): Promise<Ended> => {
    const ended = await runBinary(args, cwd);
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  };
  const tune = (out: string, ...sets: string[]): Promise<Ended> => {
    const all = ['--data', 'new', '--from', 'base', ...sets.flatMap((set) => ['--set', set])];
    return runBinary(['finetune', '-c', 'tune.yaml', ...all, '--backend', 'wasm', '-o', out], cwd);
  };

  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-finetune-e2e-'));
    for (const [name, text] of Object.entries(FILES)) await writeFile(join(cwd, name), text);
    for (const [name, text] of [
      ['old', log(1)],
      ['new', log(5)],
      ['other', log(1, (item) => `x${item}`)],
    ] as const) {
      await writeFile(join(cwd, `${name}.csv`), text);
      const yaml = `interactions: { path: ${name}.csv, columns: { user: user, item: item, time: time } }\nsplit: { kind: leave-last-out }\n`;
      await writeFile(join(cwd, `${name}.yaml`), yaml);
      await ok('prepare', '-c', `${name}.yaml`, '-o', name);
    }
    await ok('pretrain', '-c', 'pretrain.yaml', '--data', 'old', '--backend', 'wasm', '-o', 'base');
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  test('with replay less is forgotten, as `evaluate` on the old dataset says', async () => {
    for (const [out, ...sets] of [
      ['alone'],
      ['replayed', 'replay.data=old', 'replay.share=0.5', 'l2Start=0.0001', 'rateDecay=0.9', 'unfreeze=1'],
    ] as const) {
      const ended = await tune(out, ...sets);
      assert.equal(ended.code, 0, ended.stderr);
    }
    await ok('evaluate', '-c', 'evaluate.yaml', '--data', 'old', '--backend', 'wasm', '-o', 'kept');
    const { rows } = resultsSchema.parse(JSON.parse(await readFile(join(cwd, 'kept/results.json'), 'utf8')));
    const [base, alone, replayed] = ['base', 'alone', 'replayed'].map(
      (name) => rows.find((row) => row.name === name)!.metrics['ndcg@10'],
    );
    assert.ok(base! > 0.8 && alone! < base! - 0.2, `base ${base}, alone ${alone}`);
    assert.ok(replayed! > alone! + 0.15, `alone ${alone}, replayed ${replayed}`);
  });

  test('data that the checkpoint was not trained on, and a share of nothing, are refused', async () => {
    await refused(4, /replay\.data: the checkpoint does not know 30 of/, tune('no', 'replay.data=other'));
    await refused(2, /replay\.share/, tune('no', 'replay.data=old', 'replay.share=1'));
    await refused(2, /unfreeze.*after epoch 8/, tune('no', 'unfreeze=8'));
  });
});
