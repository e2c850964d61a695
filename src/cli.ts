import { parse } from './cli/arguments.js';
import type { Io } from './commands/execute.js';
import type { CommandTable } from './commands/stage.js';
import { RecsysError } from './errors.js';
import { hint } from './nearest.js';

/** The commands. Nothing of one is loaded before it is called: `recsys --help` stays instant. */
export const COMMANDS = {
  generate: {
    describe: 'write the raw log of an invented shop, to try everything on',
    load: () => import('./commands/generate.js'),
    chains: true,
  },
  prepare: {
    describe: 'read raw interaction logs and attributes; write a dataset',
    load: () => import('./commands/prepare.js'),
    chains: true,
  },
  pretrain: {
    describe: 'train a large model (the teacher) on a dataset',
    load: () => import('./commands/pretrain.js'),
    chains: true,
  },
  distill: {
    describe: 'train a small student from a teacher',
    load: () => import('./commands/distill.js'),
    chains: true,
  },
  finetune: {
    describe: 'adapt a checkpoint to a target task, domain or new items',
    load: () => import('./commands/finetune.js'),
    chains: true,
  },
  'meta-train': {
    describe: 'train a model that adapts to a user within a few events',
    load: () => import('./commands/meta-train.js'),
    chains: true,
  },
  adapt: {
    describe: 'make users’ events states, rows of numbers that can be kept',
    load: () => import('./commands/adapt.js'),
    chains: true,
  },
  elicit: {
    describe: 'choose what to ask a new user about',
    load: () => import('./commands/elicit.js'),
    chains: true,
  },
  compress: {
    describe: 'make a checkpoint smaller: prune, fine-tune, quantize',
    load: () => import('./commands/compress.js'),
    chains: true,
  },
  evaluate: {
    describe: 'compare models with baselines on a test set',
    load: () => import('./commands/evaluate.js'),
    chains: true,
  },
  recommend: {
    describe: 'write the best items of users to a file',
    load: () => import('./commands/recommend.js'),
    chains: true,
  },
  export: {
    describe: 'write a checkpoint for other runtimes: SavedModel, ONNX, item vectors',
    load: () => import('./commands/export.js'),
    chains: true,
  },
  inspect: {
    describe: 'explain a dataset or checkpoint and verify it',
    load: () => import('./commands/inspect.js'),
  },
  run: {
    describe: 'run a pipeline of stages, skipping what is up to date',
    load: () => import('./commands/run.js'),
  },
  tune: {
    describe: 'search the settings of a training stage for the best',
    load: () => import('./commands/tune.js'),
  },
  'serve-online': {
    describe: 'serve a checkpoint over HTTP and learn from every event',
    load: () => import('./commands/serve-online.js'),
    commands: {
      keys: {
        describe: 'make, list or revoke the API keys of a service',
        load: () => import('./commands/keys.js'),
      },
    },
  },
  journal: {
    describe: 'check, repair or export the event journal of a service',
    load: () => import('./commands/journal.js'),
  },
  impressions: {
    describe: 'export the lists that a service served, with what came of them',
    load: () => import('./commands/impressions.js'),
  },
  'off-policy': {
    describe: 'estimate what a checkpoint would have earned, from lists that were served',
    load: () => import('./commands/off-policy.js'),
  },
  uplift: {
    describe: 'compare the variants of an experiment by what their lists earned',
    load: () => import('./commands/uplift.js'),
  },
  replay: {
    describe: 'send a log of events to a service, in order of time',
    load: () => import('./commands/replay.js'),
  },
  'load-test': {
    describe: 'ask a service as many users would, and take the times',
    load: () => import('./commands/load-test.js'),
  },
  chaos: {
    describe: 'kill a service of its own again and again, and look whether anything is lost',
    load: () => import('./commands/chaos.js'),
  },
  config: {
    describe: 'print, start or check the settings of a stage',
    load: () => import('./commands/config.js'),
  },
  backend: { describe: 'install or list tensor backends', load: () => import('./commands/backend.js') },
  doctor: {
    describe: 'say which backend is active, why, and what to do',
    load: () => import('./commands/doctor.js'),
  },
} satisfies CommandTable;

/**
 * Parses a command line and executes it.
 * @param script what stands before the command
 * @throws RecsysError USAGE for what the command line itself has wrong; else whatever the stage throws
 */
export async function cli(
  argv: readonly string[],
  io: Io,
  commands: CommandTable = COMMANDS,
  script = 'recsys',
): Promise<void> {
  const at = argv.findIndex((arg) => !arg.startsWith('-'));
  const name = argv[at];
  if (name !== undefined && !Object.hasOwn(commands, name)) {
    throw new RecsysError('USAGE', `unknown command "${name}"${hint(name, Object.keys(commands))}`, {
      remedy: 'See `recsys --help`.',
    });
  }
  const below = name === undefined ? undefined : commands[name]!.commands;
  if (below !== undefined && Object.hasOwn(below, argv[at + 1] ?? ''))
    return cli(argv.toSpliced(at, 1), io, below, `${script} ${name}`);
  const informs = argv.length === 0 || argv.some((arg) => arg === '--help' || arg === '--version');
  if (name === undefined && !informs)
    throw new RecsysError('USAGE', 'which command?', { remedy: 'See `recsys --help`.' });
  const stage = name === undefined ? undefined : (await commands[name]!.load()).default;
  const { args, printed } = await parse(argv, stage, commands, script);
  if (printed !== '') await write(io.stdout, `${printed}\n`);
  if (args === undefined || stage === undefined) return;
  const { execute } = await import('./commands/execute.js');
  await write(io.stdout, await execute(stage, args, commands, io));
}

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((done, fail) => {
    if (text === '') done();
    else stream.write(text, (error) => (error == null ? done() : fail(error)));
  });
}
