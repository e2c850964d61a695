import type { Argv } from 'yargs';
import yargs from 'yargs';
import type { Args } from '../commands/execute.js';
import type { LogLevel } from '../commands/render/logger.js';
import { type CommandTable, type StageDefinition, takes } from '../commands/stage.js';
import { version } from '../commands/version.js';
import { RecsysError } from '../errors.js';
import { didYouMean, hint } from '../nearest.js';

const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** What a command line says: the arguments of the chosen command, or the text (help, version) that it asks for. */
export interface Parsed {
  readonly args: Args | undefined;
  readonly printed: string;
}

/**
 * Parses a command line with the flags and positionals of the chosen stage.
 * @throws RecsysError USAGE, naming the nearest known word for an unknown one
 */
export async function parse(
  argv: readonly string[],
  stage: StageDefinition | undefined,
  commands: CommandTable,
  script = 'recsys',
): Promise<Parsed> {
  let args: Record<string, unknown> | undefined;
  const words = joinDashes(argv);
  const parser = yargs(words)
    .scriptName(script)
    .usage(
      '$0 <command> [options]\n\nFrom raw interaction logs to a recommender that learns while it serves.',
    )
    .version(version())
    .locale('en')
    .exitProcess(false)
    .parserConfiguration({
      'dot-notation': false,
      'camel-case-expansion': false,
      'greedy-arrays': false,
      'boolean-negation': false,
    })
    .strict()
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .epilogue('Options of a command: recsys <command> --help')
    // yargs documents `false` here (throw instead of printing); its types know only functions.
    .fail(false as unknown as () => void);
  for (const [name, entry] of Object.entries(commands)) {
    const chosen = stage !== undefined && stage.name === name;
    parser.command(
      chosen ? usageOf(stage) : name,
      entry.describe,
      (builder) => (chosen ? options(builder, stage).epilogue(epilogue(stage, commands)) : builder),
      (values) => {
        args = values;
      },
    );
  }
  let printed = '';
  try {
    // With a callback yargs hands its text over instead of printing it.
    if (argv.length === 0) printed = await parser.getHelp();
    else {
      await parser.parseAsync(words, {}, (error, _values, output) => {
        if (error) throw error;
        printed = output;
      });
    }
  } catch (error) {
    throw usageError(error, stage, Object.keys(commands), script);
  }
  return {
    args: args === undefined || stage === undefined || printed !== '' ? undefined : toArgs(args, stage),
    printed,
  };
}

function epilogue(stage: StageDefinition, commands: CommandTable): string {
  const below = Object.entries(commands[stage.name]?.commands ?? {});
  return [
    ...below.map(([name, { describe }]) => `recsys ${stage.name} ${name}: ${describe}`),
    `Settings: recsys config schema ${stage.name}, recsys config init ${stage.name}`,
  ].join('\n');
}

function usageOf(stage: StageDefinition): string {
  const words = (stage.positionals ?? []).map((one) =>
    one.required === true ? `<${one.name}>` : `[${one.name}]`,
  );
  return [stage.name, ...words].join(' ');
}

function options(builder: Argv, stage: StageDefinition): Argv {
  for (const one of stage.positionals ?? []) {
    builder.positional(one.name, {
      type: 'string',
      describe: one.describe,
      ...(one.choices === undefined ? {} : { choices: one.choices }),
    });
  }
  for (const [name, flag] of Object.entries(stage.flags)) {
    if (flag.type === 'boolean') builder.option(name, { type: 'boolean', describe: flag.describe });
    else if (flag.type === 'strings')
      builder.option(name, { type: 'array', string: true, nargs: 1, describe: flag.describe });
    else builder.option(name, { type: flag.type, requiresArg: true, describe: flag.describe });
  }
  const text = { type: 'string', requiresArg: true } as const;
  const common = {
    config: { ...text, alias: 'c', describe: "the stage's settings, a YAML file" },
    out: {
      ...text,
      alias: 'o',
      describe: `directory to write${stage.defaultOut === undefined ? '' : ` (default: ${stage.defaultOut})`}`,
    },
    set: {
      type: 'array',
      string: true,
      requiresArg: true,
      describe: 'set one key: key.path=value (repeatable)',
    },
    seed: { type: 'number', requiresArg: true, describe: 'seed of everything random' },
    backend: {
      ...text,
      choices: ['tensorflow', 'wasm', 'cpu'],
      describe: 'tensor backend (default: the best there is)',
    },
    resume: { type: 'boolean', describe: 'continue an interrupted run (training stages)' },
    force: { type: 'boolean', describe: 'replace the output directory' },
    json: { type: 'boolean', describe: 'print the result as one JSON object' },
    quiet: { type: 'boolean', alias: 'q', describe: 'warnings and errors only' },
    'log-level': { ...text, choices: LOG_LEVELS, describe: 'least severe messages shown' },
  } as const;
  for (const [name, option] of Object.entries(common)) {
    const idle = (name === 'seed' || name === 'backend') && !takes(stage, name);
    if (!idle && !Object.hasOwn(stage.flags, name)) builder.option(name, option);
  }
  return builder;
}

function toArgs(values: Record<string, unknown>, stage: StageDefinition): Args {
  const one = <T>(name: string): T | undefined => {
    const value = values[name];
    if (Array.isArray(value)) throw new RecsysError('USAGE', `--${name} is given twice`);
    if (typeof value === 'number' && Number.isNaN(value))
      throw new RecsysError('USAGE', `--${name}: expected a number`);
    return value as T | undefined;
  };
  const own: Record<string, string | number | boolean | readonly string[]> = {};
  for (const [name, flag] of Object.entries(stage.flags)) {
    const value =
      flag.type === 'strings' ? (values[name] as string[] | undefined) : one<string | number | boolean>(name);
    if (value !== undefined) own[name] = value;
  }
  let config = one<string>('config');
  for (const positional of stage.positionals ?? []) {
    const value = one<string>(positional.name);
    if (value === undefined) continue;
    if (positional.key === '--config') config = value;
    else own[positional.name] = value;
  }
  const given = <T>(name: string, value: T | undefined): object =>
    value === undefined ? {} : { [name]: value };
  return {
    ...given('config', config),
    ...given('out', one<string>('out')),
    ...given('seed', one<number>('seed')),
    ...given('backend', one<string>('backend')),
    set: (values.set as string[] | undefined) ?? [],
    resume: values.resume === true,
    force: values.force === true,
    json: values.json === true,
    quiet: values.quiet === true,
    logLevel: (one<LogLevel>('log-level') ?? 'info') as LogLevel,
    own,
  };
}

/** What yargs found wrong, in our words. */
function usageError(
  error: unknown,
  stage: StageDefinition | undefined,
  commands: readonly string[],
  script: string,
): RecsysError {
  if (error instanceof RecsysError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const remedy = `See \`${script} ${stage === undefined ? '' : `${stage.name} `}--help\`.`;
  const refused = [...message.matchAll(/Argument: (.*), Given: (.*), Choices: (.*)$/gm)];
  if (refused.length > 0) {
    const lines = refused.map(([, name, given, choices]) => badChoice(name!, given!, choices!, stage));
    return new RecsysError('USAGE', lines.join('\n'), { remedy, cause: error });
  }
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1]?.split(', ');
  if (unknown === undefined)
    return new RecsysError('USAGE', message.replaceAll(/\s*\n\s*/g, ' '), { remedy, cause: error });
  const flags = [
    'config',
    'out',
    'set',
    'seed',
    'backend',
    'resume',
    'force',
    'json',
    'quiet',
    'log-level',
    ...Object.keys(stage?.flags ?? {}),
  ].filter((flag) => !unknown.includes(flag));
  const lines = unknown.map(
    (word) => `unknown argument "${word}"${hint(word, stage === undefined ? commands : flags)}`,
  );
  return new RecsysError('USAGE', lines.join('\n'), { remedy, cause: error });
}

/** A value that is none of an argument's choices; yargs gives them as quoted words. */
function badChoice(name: string, given: string, choices: string, stage: StageDefinition | undefined): string {
  const isPositional = stage?.positionals?.some((one) => one.name === name) === true;
  const words = [...choices.matchAll(/"([^"]*)"/g)].map(([, word]) => word!);
  const near = didYouMean(given.replaceAll('"', ''), words);
  return `${isPositional ? `<${name}>` : `--${name}`}: expected one of ${words.join(', ')}, found ${given}${near}`;
}

/** `--flag -` as `--flag=-`: yargs takes a lone dash for no value of a flag that may be repeated. */
function joinDashes(argv: readonly string[]): string[] {
  const words: string[] = [];
  for (const word of argv) {
    const last = words.at(-1);
    if (word === '-' && last !== undefined && /^--[^=]+$/.test(last)) words[words.length - 1] = `${last}=-`;
    else words.push(word);
  }
  return words;
}
