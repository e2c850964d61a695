import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BINARY, type Ended, ROOT, recsys, start } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/main.js'));

describe('the real binary', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-e2e-'));
    const rows = ['user,item,time'];
    for (let user = 1; user <= 30; user++) {
      for (let n = 0; n < 6; n++) rows.push(`u${user},i${1 + ((user * 7 + n * n) % 20)},${1000 * user + n}`);
    }
    await writeFile(join(cwd, 'log.csv'), `${rows.join('\n')}\n`);
    const columns = 'columns: { user: user, item: item, time: time }';
    await writeFile(
      join(cwd, 'prepare.yaml'),
      `interactions: { path: log.csv, ${columns} }\nsplit: { kind: leave-last-out }\n`,
    );
    await writeFile(join(cwd, 'bad.yaml'), 'interctions: {}\nrejectLimit: lots\n');
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  const refused = (ended: Ended, code: number, message: RegExp): void => {
    assert.equal(ended.code, code, ended.stderr);
    assert.equal(ended.stdout, '', 'stdout carries results only');
    assert.match(ended.stderr, message);
    assert.match(ended.stderr, /\n {2}→ \S/, 'what to do');
    assert.doesNotMatch(ended.stderr, /^ {4}at /m, 'no stack for a mistake');
  };

  test('--help lists the commands and --version the version', async () => {
    const help = await recsys(['--help'], cwd);
    assert.equal(help.code, 0);
    for (const name of ['prepare', 'pretrain', 'serve-online', 'doctor'])
      assert.match(help.stdout, new RegExp(`recsys ${name}`));
    const version = await recsys(['--version'], cwd);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  });

  test('usage and settings: exit 2', async () => {
    refused(await recsys(['pretrian'], cwd), 2, /unknown command "pretrian"; did you mean "pretrain"\?/);
    refused(await recsys(['prepare', '--confg', 'x'], cwd), 2, /did you mean "config"/);
    refused(await recsys(['prepare', '-c', 'none.yaml'], cwd), 2, /none\.yaml: no such file/);
    const two = await recsys(['prepare', '-c', 'bad.yaml'], cwd);
    refused(two, 2, /bad\.yaml:1:1: interctions: unknown key; did you mean "interactions"\?/);
    assert.match(two.stderr, /bad\.yaml:2:14: rejectLimit: expected a number, found "lots"/);
  });

  test('a setting that is missing is told with the argument that gives it', async () => {
    refused(await recsys(['pretrain'], cwd), 2, /data: missing; expected a text \(--data\)\n/);
    refused(await recsys(['inspect'], cwd), 2, /dir: missing; expected a text \(<dir>\)\n/);
  });

  test('a missing data file: exit 3, and no output is left', async () => {
    refused(
      await recsys(
        ['prepare', '-c', 'prepare.yaml', '--set', 'interactions.path=nowhere.csv', '-o', 'lost'],
        cwd,
      ),
      3,
      /nowhere\.csv/,
    );
    assert.deepEqual(
      (await readdir(cwd)).filter((name) => name.startsWith('lost')),
      [],
    );
  });

  test('stdout is the path alone, and a second run refuses to overwrite it', async () => {
    const first = await recsys(['prepare', '-c', 'prepare.yaml', '-o', 'dataset'], cwd);
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stdout, `${join(cwd, 'dataset')}\n`);
    refused(await recsys(['prepare', '-c', 'prepare.yaml', '-o', 'dataset'], cwd), 2, /exists already/);
    const again = await recsys(['prepare', '-c', 'prepare.yaml', '-o', 'dataset', '--force', '--json'], cwd);
    assert.equal(JSON.parse(again.stdout).path, join(cwd, 'dataset'));
  });

  test('a file that is no checkpoint: exit 4; a missing one: exit 3', async () => {
    await mkdir(join(cwd, 'broken'), { recursive: true });
    await writeFile(join(cwd, 'broken/manifest.json'), '{"kind":"checkpoint"');
    const args = ['finetune', '--data', 'dataset', '-o', 'tuned', '--from'];
    refused(await recsys([...args, 'broken'], cwd), 4, /broken/);
    refused(await recsys([...args, 'absent'], cwd), 3, /absent/);
    refused(await recsys([...args, '.'], cwd), 4, /a folder of some: broken[\s\S]*such as .*broken/);
  });

  test('an error with --json is one JSON object on stderr', async () => {
    const { code, stdout, stderr } = await recsys(['prepare', '-c', 'bad.yaml', '--json'], cwd);
    const { error } = JSON.parse(stderr.trim().split('\n').at(-1)!);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.deepEqual([error.code, error.exitCode], ['CONFIG_INVALID', 2]);
  });

  test('`-` takes the path of the stage before it in a pipe', async () => {
    const json = await recsys(['prepare', '-c', 'prepare.yaml', '-o', 'piped', '--json'], cwd);
    const missing = await recsys(
      ['pretrain', '--data', '-', '-o', 't', '--set', 'nothing=1'],
      cwd,
      json.stdout,
    );
    refused(missing, 2, /nothing: unknown key/);
    refused(await recsys(['pretrain', '--data', '-', '-o', 't'], cwd, ''), 2, /nothing arrived on stdin/);
  });

  test('a reader that goes away is no error', async () => {
    const { child, ended } = start(['config', 'schema', 'prepare'], cwd);
    child.stdout?.destroy();
    child.stdin?.end();
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} in a training stage: exit 130, resumable, no output directory`, {
      timeout: 60_000,
    }, async () => {
      const out = `stopped-${signal}`;
      const { child, ended } = start(
        [
          'pretrain',
          '--data',
          'dataset',
          '-o',
          out,
          '--backend',
          'wasm',
          '--set',
          'epochs=100000',
          '--set',
          'validation.patience=0',
        ],
        cwd,
      );
      let sent = false;
      child.stderr?.on('data', (chunk: Buffer) => {
        if (/loss/.test(chunk.toString()) && !sent) sent = child.kill(signal);
      });
      const { code, stdout, stderr } = await ended;
      assert.equal(code, 130, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /interrupted/);
      assert.match(stderr, /→ .*--resume/);
      const left = (await readdir(cwd)).filter((name) => name.startsWith(out));
      assert.deepEqual(left, [`${out}.partial`]);
    });
  }

  test('a port in use: exit 5', { timeout: 60_000 }, async () => {
    const trained = await recsys(
      ['pretrain', '--data', 'dataset', '-o', 'small', '--backend', 'wasm', '--set', 'epochs=1'],
      cwd,
    );
    assert.equal(trained.code, 0, trained.stderr);
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => server.once('listening', done));
    const { port } = server.address() as { port: number };
    const ended = await recsys(
      [
        'serve-online',
        '--model',
        'small',
        '--port',
        String(port),
        '--backend',
        'wasm',
        '--state',
        'live',
        '-o',
        'served',
      ],
      cwd,
    );
    server.close();
    refused(ended, 5, new RegExp(String(port)));
  });

  test('stages in a real pipe', { timeout: 60_000 }, async () => {
    const command =
      '"$0" "$1" prepare -c prepare.yaml -o p1 --quiet | "$0" "$1" pretrain --data - -o p2 --set epochs=1 --backend wasm --json --quiet';
    const child = spawn('sh', ['-c', command, process.execPath, BINARY], {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    const code = await new Promise((done) => child.on('close', done));
    assert.equal(code, 0);
    const result = JSON.parse(stdout);
    assert.equal(result.path, join(cwd, 'p2'));
    assert.equal(typeof result.seconds, 'number');
  });

  test('an interrupted pipeline is continued by the same command and ends as an uninterrupted one', {
    timeout: 120_000,
  }, async () => {
    const pipeline = [
      'stages:',
      '  - { id: dataset, stage: prepare, config: prepare.yaml }',
      `  - { id: teacher, stage: pretrain, with: { data: "\${dataset}", backend: wasm, epochs: 12, snapshotSteps: 1 } }`,
    ].join('\n');
    await writeFile(join(cwd, 'pipeline.yaml'), pipeline);
    const args = ['run', 'pipeline.yaml', '--json', '-o'];
    const { child, ended } = start([...args, 'broken-off'], cwd);
    let sent = false;
    child.stderr?.on('data', (chunk: Buffer) => {
      if (/"epoch":3/.test(chunk.toString()) && !sent) sent = child.kill('SIGINT');
    });
    const stopped = await ended;
    assert.equal(stopped.code, 130, stopped.stderr);
    assert.equal(JSON.parse(stopped.stderr.trim().split('\n').at(-1)!).error.code, 'INTERRUPTED');
    const continued = await recsys([...args, 'broken-off'], cwd);
    assert.equal(continued.code, 0, continued.stderr);
    assert.match(continued.stderr, /dataset: up to date, skipped[\s\S]*teacher: did not finish, continuing/);
    const whole = await recsys([...args, 'whole'], cwd);
    assert.equal(whole.code, 0, whole.stderr);
    const weights = (out: string) => readFile(join(cwd, out, 'teacher/model.safetensors'));
    assert.deepEqual(await weights('broken-off'), await weights('whole'));
  });
});
