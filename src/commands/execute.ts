import { resolve } from 'node:path';
import { flagLayer, type Layer, setLayer } from '../config/layers.js';
import { resolveConfig } from '../config/load.js';
import { RecsysError } from '../errors.js';
import type { StageContext } from '../types.js';
import { createLogger, type LogLevel } from './render/logger.js';
import { lineProgress, type ProgressView, silentProgress, spinnerProgress } from './render/progress.js';
import { renderResult } from './render/result.js';
import { commonLayers, nowhere, settingsLayer } from './settings.js';
import { asArgument, type CommandTable, type StageDefinition } from './stage.js';
import { pathFromStdin, readAll } from './stdin.js';

/** The process around a command. */
export interface Io {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly cwd: string;
  readonly signal: AbortSignal;
  now(): number;
}

/** A parsed command line: flags and positionals by name. */
export interface Args {
  readonly config?: string;
  readonly out?: string;
  readonly set: readonly string[];
  readonly seed?: number;
  readonly backend?: string;
  readonly resume: boolean;
  readonly force: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly logLevel: LogLevel;
  /** Values of the stage's own flags and positionals that were given. */
  readonly own: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

/** Resolves a stage's settings and runs it. Returns what belongs on stdout. */
export async function execute(
  stage: StageDefinition,
  args: Args,
  commands: CommandTable,
  io: Io,
): Promise<string> {
  const configFile = args.config === undefined ? undefined : resolve(io.cwd, args.config);
  const layers = await gather(stage, args, configFile, io.cwd);
  const given = (key: string): string | undefined => asArgument(stage, key);
  let config: unknown = resolveConfig(stage.schema, layers, stage.name, given).config;
  const piped = await stdinLayer(stage, args, io);
  if (piped !== undefined) config = resolveConfig(stage.schema, [...layers, piped], stage.name, given).config;

  const out = args.out ?? stage.defaultOut;
  const view = await progressView(args, io);
  const around = await context(args, view, io);
  if (args.resume && stage.resumes !== true) {
    around.log('warn', `--resume: ${stage.name} leaves nothing to go on from, so it starts afresh`);
  }
  const result = await stage
    .run({
      config,
      flags: {
        out: out === undefined ? undefined : resolve(io.cwd, out),
        seed: args.seed,
        resume: args.resume,
        force: args.force,
        json: args.json,
        quiet: args.quiet,
      },
      invocation: {
        commands,
        cwd: io.cwd,
        configFile,
        sets: stage.ownSets === true ? args.set : [],
        backend: args.backend,
      },
      ...around,
    })
    .finally(() => view.close());
  return renderResult(result, args.json);
}

/** Layers in order: YAML < --set < flags. */
async function gather(
  stage: StageDefinition,
  args: Args,
  configFile: string | undefined,
  cwd: string,
): Promise<Layer[]> {
  const layers = [configFile === undefined ? nowhere(cwd) : await settingsLayer(configFile, cwd)];
  if (stage.ownSets !== true) layers.push(...args.set.map((assignment) => setLayer(assignment, cwd)));
  if (stage.ownSets !== true) layers.push(...commonLayers(stage, args.seed, args.backend, cwd));
  for (const [name, value] of Object.entries(args.own)) {
    const flag = stage.flags[name];
    const positional = stage.positionals?.find((one) => one.name === name);
    if (flag !== undefined) layers.push(flagLayer(name, flag.key, value, cwd));
    else if (positional !== undefined)
      layers.push({ ...flagLayer(name, positional.key, value, cwd), where: () => `<${name}>` });
  }
  return layers;
}

/** The layer of the one flag whose value is `-` (or has one in its list). */
async function stdinLayer(stage: StageDefinition, args: Args, io: Io): Promise<Layer | undefined> {
  const piped = Object.entries(args.own).filter(
    ([name, value]) =>
      stage.flags[name]?.stdin === true && (value === '-' || (Array.isArray(value) && value.includes('-'))),
  );
  const [first, second] = piped;
  if (first === undefined) return undefined;
  if (second !== undefined) {
    throw new RecsysError('USAGE', `--${first[0]} - and --${second[0]} -: only one flag can take stdin`);
  }
  const [name, value] = first;
  if (io.stdin.isTTY) {
    throw new RecsysError(
      'USAGE',
      `--${name} -: stdin is the terminal; put a stage before this one in a pipe`,
    );
  }
  const path = pathFromStdin(await readAll(io.stdin), name, io.cwd);
  const filled = Array.isArray(value) ? value.map((one: string) => (one === '-' ? path : one)) : path;
  return flagLayer(name, stage.flags[name]!.key, filled, io.cwd);
}

async function progressView(args: Args, io: Io): Promise<ProgressView> {
  const plain = { write: (text: string) => void io.stderr.write(text) };
  if (args.quiet) return silentProgress(plain);
  // A terminal may say it is 0 columns wide (a container without a window size); ora then never ends clearing lines.
  return io.stderr.isTTY && io.stderr.columns > 0
    ? await spinnerProgress(io.stderr, io.now)
    : lineProgress(plain, io.now);
}

async function context(args: Args, view: ProgressView, io: Io): Promise<StageContext> {
  const level =
    args.quiet && (args.logLevel === 'info' || args.logLevel === 'debug') ? 'warn' : args.logLevel;
  const logger = await createLogger(level, io.stderr.isTTY === true, view);
  return {
    progress: (event) => view.show(event),
    log: (severity, message, fields = {}) => logger[severity](fields, message),
    signal: io.signal,
  };
}
