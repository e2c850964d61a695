import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RecsysError } from '../../src/errors.js';
import { callCli, fakeCommands, folder } from './fake.js';

const PIPELINE = `
vars:
  raw: { path: ../raw.txt }
  steps: 2
out: ../runs
stages:
  - id: dataset
    stage: prepare
    with: { raw: "\${raw}" }
  - id: teacher
    stage: pretrain
    config: teacher.yaml
    with: { data: "\${dataset}", steps: "\${steps}" }
  - id: comparison
    stage: evaluate
    with:
      data: "\${dataset}"
      models: { teacher: "\${teacher}" }
`;

const FILES = {
  'raw.txt': 'abc',
  'other.txt': 'abcd',
  'p/pipeline.yaml': PIPELINE,
  'p/teacher.yaml': 'nested: { rate: 0.3 }\n',
};

interface Summary {
  path: string;
  stages: { id: string; stage: string; path: string; skipped: boolean; metrics?: Record<string, number> }[];
  rows: unknown[];
  'ndcg@10': Record<string, number>;
}

async function setUp(t: TestContext, options: Parameters<typeof fakeCommands>[0] = {}) {
  const cwd = await folder(t, FILES);
  const { commands, calls } = fakeCommands(options);
  const run = async (...args: string[]) => {
    const { stdout, stderr } = await callCli(['run', 'p/pipeline.yaml', '--json', ...args], commands, {
      cwd,
    });
    return { ...(JSON.parse(stdout) as Summary), stderr };
  };
  const ran = (): string[] => calls.splice(0).map((call) => call.stage);
  return { cwd, commands, calls, run, ran };
}

test('stages run in order; references, variables and folders resolve; the result sums up', async (t) => {
  const { cwd, calls, run } = await setUp(t);
  const result = await run();
  assert.equal(result.path, join(cwd, 'runs'));
  assert.deepEqual(
    calls.map((call) => call.stage),
    ['prepare', 'pretrain', 'evaluate'],
  );
  assert.equal(calls[0]!.config.raw, join(cwd, 'raw.txt'));
  assert.deepEqual(calls[1]!.config, {
    data: join(cwd, 'runs/dataset'),
    steps: 2,
    nested: { rate: 0.3 },
    seed: 42,
  });
  assert.deepEqual(result['ndcg@10'], { popularity: 0, teacher: 0.1 });
  assert.equal(result.rows.length, 2);
  assert.deepEqual(
    result.stages.map((stage) => [stage.id, stage.path, stage.skipped]),
    [
      ['dataset', join(cwd, 'runs/dataset'), false],
      ['teacher', join(cwd, 'runs/teacher'), false],
      ['comparison', join(cwd, 'runs/comparison'), false],
    ],
  );
});

test('a second run skips everything and still gives the whole result', async (t) => {
  const { run, ran } = await setUp(t);
  const first = await run();
  ran();
  const second = await run();
  assert.deepEqual(ran(), []);
  assert.deepEqual(
    second.stages.map((stage) => stage.skipped),
    [true, true, true],
  );
  assert.deepEqual(second['ndcg@10'], first['ndcg@10']);
  assert.match(second.stderr, /dataset: up to date, skipped/);
});

test('a changed setting reruns its stage and those that read its output, and says why', async (t) => {
  const { run, ran } = await setUp(t);
  await run();
  ran();
  const result = await run('--set', 'teacher.steps=5');
  assert.deepEqual(ran(), ['pretrain', 'evaluate']);
  assert.match(result.stderr, /teacher: settings changed: steps/);
  assert.match(result.stderr, /comparison: input changed: models\.teacher/);
});

test('changed raw data reruns from there; an equal dataset stops the rerun', async (t) => {
  const { cwd, run, ran } = await setUp(t);
  await run();
  ran();
  await writeFile(join(cwd, 'raw.txt'), 'abc');
  await run();
  assert.deepEqual(ran(), ['prepare'], 'same fingerprint: nothing after it');
  await writeFile(join(cwd, 'raw.txt'), 'xyz1');
  await run();
  assert.deepEqual(ran(), ['prepare', 'pretrain', 'evaluate']);
});

test('a removed or altered output is made again', async (t) => {
  const { cwd, run, ran } = await setUp(t);
  await run();
  ran();
  await rm(join(cwd, 'runs/comparison'), { recursive: true });
  const result = await run();
  assert.deepEqual(ran(), ['evaluate']);
  assert.match(result.stderr, /comparison: its output was changed or removed/);
});

test('--set of a path variable is relative to the working directory, and of a plain one is a value', async (t) => {
  const { cwd, calls, run } = await setUp(t);
  await run('--set', 'raw=other.txt', '--set', 'steps=7', '--set', 'teacher.nested.rate=1', '--seed', '5');
  assert.equal(calls[0]!.config.raw, join(cwd, 'other.txt'));
  assert.deepEqual(calls[1]!.config, {
    data: join(cwd, 'runs/dataset'),
    steps: 7,
    nested: { rate: 1 },
    seed: 5,
  });
});

test('an interrupted stage is continued by the same command', async (t) => {
  const interruptAt = { current: 1 };
  const controller = new AbortController();
  const { cwd, commands, calls, run, ran } = await setUp(t, { interruptAt, abort: () => controller.abort() });
  await assert.rejects(
    callCli(['run', 'p/pipeline.yaml', '--json'], commands, { cwd, signal: controller.signal }),
    (error: RecsysError) =>
      error.code === 'INTERRUPTED' &&
      error.exitCode === 130 &&
      /teacher/.test(error.message) &&
      /same command/.test(error.remedy),
  );
  interruptAt.current = -1;
  ran();
  const result = await run();
  assert.deepEqual(
    calls.map((call) => [call.stage, call.resume, call.resumed]),
    [
      ['pretrain', true, true],
      ['evaluate', false, false],
    ],
  );
  assert.match(result.stderr, /teacher: did not finish, continuing/);
  assert.equal(JSON.parse(await readFile(join(cwd, 'runs/teacher/manifest.json'), 'utf8')).from, 1);
});

test('an interrupted stage whose settings then change starts afresh', async (t) => {
  const interruptAt = { current: 1 };
  const controller = new AbortController();
  const { cwd, commands, calls, run, ran } = await setUp(t, { interruptAt, abort: () => controller.abort() });
  await assert.rejects(callCli(['run', 'p/pipeline.yaml'], commands, { cwd, signal: controller.signal }));
  interruptAt.current = -1;
  ran();
  await run('--set', 'steps=4');
  assert.deepEqual([calls[0]!.stage, calls[0]!.resume, calls[0]!.resumed], ['pretrain', false, false]);
});

test('a failed stage names itself and keeps its exit code; what was done stays done', async (t) => {
  const fail = { current: true };
  const { run, ran } = await setUp(t, { fail });
  await assert.rejects(
    run(),
    (error: RecsysError) =>
      error.code === 'DIVERGED' && /stage "teacher" \(pretrain\): loss is NaN/.test(error.message),
  );
  fail.current = false;
  ran();
  await run();
  assert.deepEqual(ran(), ['pretrain', 'evaluate']);
});

test('everything wrong in all stages is reported together, before any stage runs', async (t) => {
  const { cwd, commands, calls } = await setUp(t);
  await writeFile(
    join(cwd, 'p/pipeline.yaml'),
    `out: runs\nstages:\n  - { id: a, stage: prepare, with: { raw: x, factr: 2 } }\n  - { id: b, stage: pretrian }\n  - { id: c, stage: pretrain, with: { data: "\${dd}", steps: zero } }\n`,
  );
  await assert.rejects(callCli(['run', 'p/pipeline.yaml'], commands, { cwd }), (error: RecsysError) => {
    assert.match(error.message, /p\/pipeline\.yaml:3:\d+: factr: unknown key; did you mean "factor"\?/);
    assert.match(
      error.message,
      /p\/pipeline\.yaml:4:\d+: "pretrian" is no stage of pipelines; did you mean "pretrain"\?/,
    );
    assert.match(error.message, /p\/pipeline\.yaml:5:\d+: \$\{dd\}: no such stage or variable/);
    assert.match(error.message, /p\/pipeline\.yaml:5:\d+: steps: expected a number, found "zero"/);
    return error.exitCode === 2;
  });
  assert.equal(calls.length, 0);
});

test('a reference to a later stage and a name used twice are refused', async (t) => {
  const { cwd, commands } = await setUp(t);
  await writeFile(
    join(cwd, 'p/pipeline.yaml'),
    `out: runs\nstages:\n  - { id: a, stage: pretrain, with: { data: "\${b}" } }\n  - { id: b, stage: prepare, with: { raw: x } }\n  - { id: b, stage: prepare, with: { raw: x } }\n`,
  );
  await assert.rejects(callCli(['run', 'p/pipeline.yaml'], commands, { cwd }), (error: RecsysError) => {
    assert.match(error.message, /\$\{b\}: this stage does not run before/);
    assert.match(error.message, /the name "b" is taken/);
    return true;
  });
});

test('--only runs one stage, --from makes it and the later ones again, --force everything', async (t) => {
  const { run, ran } = await setUp(t);
  await run();
  ran();
  await run('--from', 'teacher');
  assert.deepEqual(ran(), ['pretrain', 'evaluate']);
  await run('--only', 'dataset', '--force');
  assert.deepEqual(ran(), ['prepare']);
  await run('--force');
  assert.deepEqual(ran(), ['prepare', 'pretrain', 'evaluate']);
  await assert.rejects(run('--only', 'techer'), /no stage "techer" in the pipeline; did you mean "teacher"/);
});

test('a directory the pipeline did not write is not replaced without --force', async (t) => {
  const { cwd, run } = await setUp(t);
  await mkdir(join(cwd, 'runs/dataset'), { recursive: true });
  await writeFile(join(cwd, 'runs/dataset/manifest.json'), '{}');
  await assert.rejects(run(), (error: RecsysError) => error.code === 'OUTPUT_EXISTS');
  assert.equal(await readFile(join(cwd, 'runs/dataset/manifest.json'), 'utf8'), '{}');
});

test('--set that names nothing is refused with what there is', async (t) => {
  const { run } = await setUp(t);
  await assert.rejects(
    run('--set', 'rew=x'),
    /"rew" is neither a variable nor a stage of the pipeline; did you mean "raw"/,
  );
  await assert.rejects(
    run('--set', 'teacher.stps=3'),
    /--set teacher\.stps=3: stps: unknown key; did you mean "steps"/,
  );
});
