import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Results, TrialResult } from '../../src/commands/tune/results.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BINARY = join(ROOT, 'bin/recsys.js');
const built = existsSync(join(ROOT, 'dist/commands/tune.js'));

const SEARCH = `
stage: pretrain
with:
  data: dataset
  backend: wasm
  epochs: 6
  batchSize: 8
  snapshotSteps: 4
  model: { name: transformer, width: 8, depth: 1, heads: 1, length: 8 }
  optimizer: { decay: cosine }
  validation: { patience: 0 }
search:
  optimizer.learningRate: { min: 0.001, max: 0.1, scale: log }
  model.dropout: { min: 0, max: 0.5 }
trials: 3
`;

describe('recsys tune', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';
  const start = (args: readonly string[]) => {
    // In a group of its own, to which a signal can be sent as a terminal does.
    const child = spawn(process.execPath, [BINARY, ...args], { cwd, stdio: 'pipe', detached: true });
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (said.stdout += chunk));
    child.stderr.on('data', (chunk) => (said.stderr += chunk));
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((done) =>
      child.on('close', (code) => done({ code, ...said })),
    );
    return { child, ended };
  };
  const recsys = (...args: string[]) => start(args).ended;
  const results = async (out: string): Promise<Results> =>
    JSON.parse(await readFile(join(cwd, out, 'results.json'), 'utf8')) as Results;
  const timeless = ({ trials, ...rest }: Results) => ({
    ...rest,
    trials: trials.map(({ seconds: _, ...trial }: TrialResult) => trial),
  });
  const same = async (one: string, other: string): Promise<void> => {
    const [a, b] = await Promise.all([one, other].map((file) => readFile(join(cwd, file))));
    assert.ok(a!.equals(b!), `${one} and ${other} differ`);
  };
  /** Waits until a trial has begun and has something to go on from. */
  const begun = async (out: string, trial: number, running: () => boolean): Promise<void> => {
    const partial = join(cwd, out, `trials/${trial}.partial`);
    const ready = async () =>
      (await readdir(partial).catch(() => [])).some((name) => /^snapshot\.\d+$/.test(name));
    while (running() && !(await ready())) await sleep(2);
    assert.ok(running(), `trial ${trial} of ${out} was not seen`);
  };

  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-tune-'));
    const settings = join(ROOT, 'configs/quickstart');
    const steps = [
      ['generate', '-c', join(settings, 'generate.yaml'), '--users', '40', '--set', 'brands=2', '-o', 'raw'],
      ['prepare', '-c', join(settings, 'prepare.yaml'), '--raw', 'raw', '-o', 'dataset'],
    ];
    for (const step of steps) {
      const { code, stderr } = await recsys(...step);
      assert.equal(code, 0, stderr);
    }
    await writeFile(join(cwd, 'search.yaml'), SEARCH);
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  test('killed, interrupted and started again, it ends as a search that was not disturbed', {
    timeout: 180_000,
  }, async () => {
    const whole = await recsys('tune', 'search.yaml', '-o', 'whole');
    assert.equal(whole.code, 0, whole.stderr);
    assert.equal(whole.stdout, `${join(cwd, 'whole')}\n`);

    const args = ['tune', 'search.yaml', '-o', 'broken', '--json'];
    const killed = start(args);
    await begun('broken', 2, () => killed.child.exitCode === null);
    killed.child.kill('SIGKILL');
    await killed.ended;

    // At once: what the killed search left running is on its way out.
    const stopped = start(args);
    await begun('broken', 3, () => stopped.child.exitCode === null);
    process.kill(-stopped.child.pid!, 'SIGINT');
    const { code, stdout, stderr } = await stopped.ended;
    assert.deepEqual([code, stdout], [130, ''], stderr);
    const { error } = JSON.parse(stderr.trim().split('\n').at(-1)!);
    assert.equal(error.code, 'INTERRUPTED');
    assert.match(error.message, /interrupted with 2 of 3 trials trained/);
    assert.match(error.remedy, /same command/);
    assert.ok(!existsSync(join(cwd, 'broken/best.yaml')), 'no best settings before the end');

    const last = await recsys(...args);
    assert.equal(last.code, 0, last.stderr);
    assert.match(last.stderr, /trial 2: [^"]* \(kept\)/);
    const summary = JSON.parse(last.stdout);
    assert.equal(summary.path, join(cwd, 'broken'));
    assert.deepEqual(timeless(await results('broken')), timeless(await results('whole')));
    const { best } = summary;
    assert.equal(best.config, join(cwd, 'broken/best.yaml'));
    for (const file of ['best.yaml', `trials/${best.trial}/model.safetensors`, 'trials/3/metrics.jsonl'])
      await same(`whole/${file}`, `broken/${file}`);
    const manifest = JSON.parse(await readFile(join(best.checkpoint, 'manifest.json'), 'utf8'));
    assert.equal(manifest.metrics['ndcg@10'], best.value);
    assert.equal(best.value, Math.max(...summary.trials.map((trial: TrialResult) => trial.value)));
  });

  test('halving: survivors go on, a failure costs its trial alone, and best.yaml gives the best again', {
    timeout: 180_000,
  }, async () => {
    const text = SEARCH.replace('model.dropout: { min: 0, max: 0.5 }', 'loss: [softmax, mse]');
    const halving = text.replace('trials: 3', 'trials: 4\nseed: 5\nmethod: halving\neta: 2\nparallel: 2');
    await writeFile(join(cwd, 'halving.yaml'), halving);
    const { code, stderr } = await recsys('tune', 'halving.yaml', '-o', 'halved');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /halving: 4 to epoch 1, 2 to epoch 3, 1 to epoch 6/);
    const { trials, best } = await results('halved');
    const failed = trials.filter(({ status }) => status === 'failed');
    assert.ok(failed.length > 0 && failed.length < 4);
    for (const { values, error, history } of failed) {
      assert.equal(values.loss, 'mse');
      assert.match(error?.message ?? '', /"mse" cannot train the task "next-item"/);
      assert.deepEqual(history, []);
    }
    for (const { trial, status, epochs, history } of trials) {
      if (status === 'dropped') assert.ok(epochs === 1 || epochs === 3);
      if (status !== 'failed') assert.equal(history.length, epochs);
      assert.equal(existsSync(join(cwd, `halved/trials/${trial}/manifest.json`)), status === 'done');
    }
    assert.deepEqual(
      trials.filter(({ status }) => status === 'done').map(({ trial }) => trial),
      [best],
    );
    const again = await recsys('pretrain', '-c', 'halved/best.yaml', '-o', 'again');
    assert.equal(again.code, 0, again.stderr);
    await same('again/model.safetensors', `halved/trials/${best}/model.safetensors`);
  });

  test('all trials failed, or a metric that they do not give: an error', { timeout: 60_000 }, async () => {
    await writeFile(
      join(cwd, 'failing.yaml'),
      SEARCH.replace('trials: 3', 'trials: 1').replace('epochs: 6', 'loss: mse'),
    );
    const failing = await recsys('tune', 'failing.yaml', '-o', 'failing');
    assert.deepEqual([failing.code, failing.stdout], [2, ''], failing.stderr);
    assert.match(failing.stderr, /error: all 1 trials failed; trial 1: .*"mse" cannot train/);
    const typo = await recsys('tune', 'search.yaml', '-o', 'typo', '--set', 'metric=ndgc@10');
    assert.equal(typo.code, 2, typo.stderr);
    assert.match(
      typo.stderr,
      /metric: "ndgc@10" is no validation metric of the trials; did you mean "ndcg@10"\?/,
    );
    assert.ok(!existsSync(join(cwd, 'typo/trials/1')), 'the first epoch shows it');
  });
});
