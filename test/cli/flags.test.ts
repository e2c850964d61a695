import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RecsysError } from '../../src/errors.js';
import { callCli, fakeCommands, folder } from './fake.js';

async function setUp(t: TestContext) {
  const cwd = await folder(t, { 'raw.txt': 'abc', 'prepare.yaml': 'raw: raw.txt\nfactor: 2\n' });
  await mkdir(join(cwd, 'data'));
  await callCli(['prepare', '-c', 'prepare.yaml', '-o', 'data', '--quiet'], fakeCommands().commands, { cwd });
  const { commands, calls } = fakeCommands();
  const call = (args: string[], stdin?: string) =>
    callCli(args, commands, { cwd, ...(stdin === undefined ? {} : { stdin }) });
  const refused = (args: string[], message: RegExp, stdin?: string) =>
    assert.rejects(call(args, stdin), (error: RecsysError) => {
      assert.equal(error.code, 'USAGE', error.stack);
      assert.match(error.message, message);
      return true;
    });
  return { cwd, calls, call, refused };
}

test('stdout is the path on one line; with --json one object on one line', async (t) => {
  const { cwd, call } = await setUp(t);
  assert.equal((await call(['prepare', '-c', 'prepare.yaml'])).stdout, `${join(cwd, 'dataset')}\n`);
  const { stdout } = await call(['prepare', '-c', 'prepare.yaml', '--json', '--out', 'd2']);
  assert.deepEqual(JSON.parse(stdout), { path: join(cwd, 'd2'), seconds: 0, metrics: { rows: 3 } });
  assert.equal(stdout.split('\n').length, 2);
});

test('a text result stands on stdout; with --json the object without it', async (t) => {
  const { call } = await setUp(t);
  const args = ['evaluate', '--set', 'data=data', '--set', 'models={}', '--out'];
  assert.equal((await call([...args, 'e1'])).stdout, 'a table\n');
  assert.equal('text' in JSON.parse((await call([...args, 'e2', '--json'])).stdout), false);
});

test('progress and the log go to stderr; --quiet leaves warnings only', async (t) => {
  const { call } = await setUp(t);
  const loud = await call(['pretrain', '--data', 'data']);
  assert.match(loud.stderr, /steps · 0\/3 · 0 %/);
  assert.match(loud.stderr, /"msg":"trained"/);
  assert.equal((await call(['pretrain', '--data', 'data', '--quiet', '--force'])).stderr, '');
  assert.doesNotMatch(
    (await call(['pretrain', '--data', 'data', '--log-level', 'warn', '--force'])).stderr,
    /trained/,
  );
});

test('flags of the stage set their config keys, nested ones too', async (t) => {
  const { cwd, call, calls } = await setUp(t);
  await call(['pretrain', '--data', 'data', '--rate', '0.25', '--seed', '9', '--set', 'steps=1']);
  assert.deepEqual(calls[0]!.config, { data: join(cwd, 'data'), steps: 1, nested: { rate: 0.25 }, seed: 9 });
});

test('`-` takes a path or a --json line from stdin', async (t) => {
  const { cwd, call, calls } = await setUp(t);
  await call(['pretrain', '--data', '-', '--out', 't1'], `${join(cwd, 'data')}\n`);
  await call(
    ['pretrain', '--data', '-', '--out', 't2'],
    `${JSON.stringify({ path: join(cwd, 'data'), seconds: 1 })}\n`,
  );
  await call(['pretrain', '--data', '-', '--out', 't3'], 'data');
  assert.deepEqual(
    calls.map((one) => one.config.data),
    Array(3).fill(join(cwd, 'data')),
  );
});

test('stdin that holds neither is refused', async (t) => {
  const { refused } = await setUp(t);
  const args = ['pretrain', '--data', '-'];
  await refused(args, /nothing arrived on stdin/, '');
  await refused(args, /found 2 lines/, 'a\nb\n');
  await refused(args, /has no "path"/, '{"seconds":3}');
  await refused(args, /no valid JSON/, '{"path"');
});

test('the command line: unknown commands and flags name the nearest, values are checked', async (t) => {
  const { refused } = await setUp(t);
  await refused(['pretrian'], /unknown command "pretrian"; did you mean "pretrain"/);
  await refused(['constructor'], /unknown command "constructor"/);
  await refused(['pretrain', '--dta', 'x'], /unknown argument "dta"; did you mean "data"/);
  await refused(['pretrain', 'stray'], /unknown argument "stray"/);
  await refused(['pretrain', '--data'], /Not enough arguments following: data/);
  await refused(['pretrain', '--data', 'a', '--data', 'b'], /--data is given twice/);
  await refused(['pretrain', '--data', 'data', '--seed', 'x'], /--seed: expected a number/);
  await refused(
    ['pretrain', '--log-level', 'inof'],
    /^--log-level: expected one of debug, info, warn, error, silent, found "inof"; did you mean "info"\?$/,
  );
  await refused(
    ['config', 'shema', 'prepare'],
    /^<action>: expected one of .*, found "shema"; did you mean "schema"\?$/,
  );
  await refused(['evaluate', '--seed', '3'], /^unknown argument "seed"; known: (?!.*seed)/);
  await refused(['pretrain', '--set', 'steps'], /expected key\.path=value/);
  await refused(['--json'], /which command/);
});

test('--resume of a stage that leaves nothing to go on from says that it starts afresh', async (t) => {
  const { call } = await setUp(t);
  const { stderr } = await call(['prepare', '-c', 'prepare.yaml', '--resume']);
  assert.match(stderr, /--resume: prepare leaves nothing to go on from, so it starts afresh/);
  const trained = await call(['pretrain', '--data', 'data', '--resume']);
  assert.doesNotMatch(trained.stderr, /--resume/);
});

test('an existing output is refused before any work', async (t) => {
  const { call, calls } = await setUp(t);
  await assert.rejects(
    call(['pretrain', '--data', 'data', '--out', 'data']),
    (error: RecsysError) => error.code === 'OUTPUT_EXISTS',
  );
  assert.equal(calls.length, 0);
});

test('a settings file that cannot be read', async (t) => {
  const { call } = await setUp(t);
  for (const [file, message] of [
    ['none.yaml', /^none\.yaml: no such file/],
    ['data', /this is a folder/],
  ] as const) {
    await assert.rejects(
      call(['prepare', '-c', file]),
      (error: RecsysError) =>
        error.code === 'CONFIG_UNREADABLE' && error.exitCode === 2 && message.test(error.message),
    );
  }
});

test('config schema, init and check', async (t) => {
  const { call, refused } = await setUp(t);
  const schema = JSON.parse((await call(['config', 'schema', 'pretrain'])).stdout);
  assert.equal(schema.properties.data.format, 'path');
  assert.match((await call(['config', 'init', 'pretrain'])).stdout, /#steps: 3/);
  assert.match(
    (await call(['config', 'check', 'prepare', 'prepare.yaml'])).stdout,
    /valid settings of prepare/,
  );
  await assert.rejects(
    call(['config', 'check', 'pretrain', 'prepare.yaml']),
    /prepare\.yaml:2:1: factor: unknown key/,
  );
  await refused(['config', 'schema', 'pretrian'], /unknown stage "pretrian"; did you mean "pretrain"/);
  await refused(['config', 'check', 'prepare'], /which file/);
});
