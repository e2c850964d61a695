import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { z } from 'zod';
import { cli } from '../../src/cli.js';
import { type CommandTable, defineStage, type StageDefinition } from '../../src/commands/stage.js';
import { path, seed } from '../../src/config/fields.js';
import { RecsysError } from '../../src/errors.js';
import { withOutputDirectory } from '../../src/storage/atomic.js';

/** What a fake stage was called with, in order. */
export interface Call {
  readonly stage: string;
  readonly config: Record<string, unknown>;
  readonly resume: boolean;
  readonly resumed: boolean;
}

/** A registry of small stages that write real directories, and what they were called with. */
export function fakeCommands(
  options: { interruptAt?: { current: number }; fail?: { current: boolean }; abort?: () => void } = {},
) {
  const calls: Call[] = [];

  const prepare = defineStage({
    name: 'prepare',
    describe: 'fake',
    schema: z.strictObject({ raw: path('raw'), factor: z.number().default(1), seed }),
    flags: { input: { key: 'raw', describe: 'raw', type: 'string', stdin: true } },
    defaultOut: 'dataset',
    run: ({ config, flags }) =>
      withOutputDirectory(flags.out!, flags, async (partial) => {
        calls.push({ stage: 'prepare', config, resume: flags.resume, resumed: false });
        const text = await readFile(config.raw, 'utf8').catch(() => {
          throw new RecsysError('FILE_MISSING', config.raw);
        });
        await writeFile(
          join(partial, 'manifest.json'),
          JSON.stringify({ kind: 'dataset', fingerprint: `${text}×${config.factor}` }),
        );
        return { path: flags.out!, seconds: 0, metrics: { rows: text.length } };
      }),
  });

  const pretrain = defineStage({
    name: 'pretrain',
    describe: 'fake',
    schema: z.strictObject({
      data: path('dataset'),
      steps: z.int().min(1).default(3),
      nested: z.strictObject({ rate: z.number().default(0.1) }).prefault({}),
      seed,
    }),
    flags: {
      data: { key: 'data', describe: 'dataset', type: 'string', stdin: true },
      rate: { key: 'nested.rate', describe: 'rate', type: 'number' },
    },
    defaultOut: 'teacher',
    resumes: true,
    run: ({ config, flags, signal, log, progress }) =>
      withOutputDirectory(flags.out!, flags, async (partial, resumed) => {
        calls.push({ stage: 'pretrain', config, resume: flags.resume, resumed });
        await readFile(join(config.data, 'manifest.json'), 'utf8');
        const done = resumed
          ? Number(JSON.parse(await readFile(join(partial, 'progress.json'), 'utf8')).step)
          : 0;
        for (let step = done; step < config.steps; step++) {
          progress({ task: 'steps', done: step, total: config.steps });
          if (options.fail?.current === true)
            throw new RecsysError('DIVERGED', `loss is NaN at step ${step}`);
          if (options.interruptAt?.current === step) options.abort?.();
          if (signal.aborted) {
            await writeFile(join(partial, 'progress.json'), JSON.stringify({ step }));
            throw new RecsysError('INTERRUPTED', `at step ${step}`);
          }
        }
        log('info', 'trained', { from: done });
        await writeFile(
          join(partial, 'manifest.json'),
          JSON.stringify({ kind: 'checkpoint', steps: config.steps, from: done }),
        );
        return { path: flags.out!, seconds: 0, metrics: { loss: 0.5 } };
      }),
  });

  const evaluate = defineStage({
    name: 'evaluate',
    describe: 'fake',
    schema: z.strictObject({ models: z.record(z.string(), path('checkpoint')), data: path('dataset') }),
    flags: {},
    run: ({ config, flags }) =>
      withOutputDirectory(flags.out!, flags, async (partial) => {
        calls.push({ stage: 'evaluate', config, resume: flags.resume, resumed: false });
        await writeFile(join(partial, 'metrics.json'), '{}');
        const rows = ['popularity', ...Object.keys(config.models)].map((name, i) => ({
          name,
          metrics: { 'ndcg@10': i / 10 },
        }));
        return { path: flags.out!, seconds: 0, text: 'a table', rows };
      }),
  });

  const load = (stage: StageDefinition) => async () => ({ default: stage });
  const commands: CommandTable = {
    prepare: { describe: 'fake', load: load(prepare), chains: true },
    pretrain: { describe: 'fake', load: load(pretrain), chains: true },
    evaluate: { describe: 'fake', load: load(evaluate), chains: true },
    run: { describe: 'pipeline', load: () => import('../../src/commands/run.js') },
    config: { describe: 'settings', load: () => import('../../src/commands/config.js') },
  };
  return { commands, calls };
}

/** Runs a command line in this process; stdout and stderr come back as texts. */
export async function callCli(
  argv: readonly string[],
  commands: CommandTable,
  options: { cwd: string; stdin?: string; signal?: AbortSignal },
): Promise<{ stdout: string; stderr: string }> {
  const stdin = new PassThrough();
  stdin.end(options.stdin ?? '');
  const out = collect();
  const err = collect();
  await cli(
    argv,
    {
      stdin: stdin as unknown as NodeJS.ReadStream,
      stdout: out.stream,
      stderr: err.stream,
      cwd: options.cwd,
      signal: options.signal ?? new AbortController().signal,
      now: () => performance.now(),
    },
    commands,
  );
  return { stdout: out.text(), stderr: err.text() };
}

function collect(): { stream: NodeJS.WriteStream; text(): string } {
  const stream = new PassThrough();
  const chunks: string[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => chunks.join('') };
}

/** A temporary folder with these files, removed after the test. */
export async function folder(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'recsys-cli-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return root;
}
