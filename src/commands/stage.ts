import type { z } from 'zod';
import type { StageContext } from '../types.js';

/** The flags every stage has, after parsing. */
export interface CommonFlags {
  /** Absolute. What `--out` says, else the stage's default; `undefined` only where the stage has neither. */
  readonly out: string | undefined;
  readonly seed: number | undefined;
  readonly resume: boolean;
  readonly force: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** One line of the table of commands. `load` imports the stage's code only when it is wanted. */
export interface CommandEntry {
  readonly describe: string;
  load(): Promise<{ readonly default: StageDefinition }>;
  /** True where the command may be a stage of a pipeline. */
  readonly chains?: boolean;
  /** Commands below this one: `recsys <name> <command>`. */
  readonly commands?: CommandTable;
}
export type CommandTable = Readonly<Record<string, CommandEntry>>;

/** How a command was called: what `run` and `config`, which work on other stages, need to know. */
export interface Invocation {
  readonly commands: CommandTable;
  /** Working directory: what paths in flags are relative to. */
  readonly cwd: string;
  /** The YAML given with --config (or as a positional), absolute. */
  readonly configFile: string | undefined;
  /** `--set` assignments that the stage asked to receive unapplied (`ownSets`). */
  readonly sets: readonly string[];
  /** `--backend`, where given. */
  readonly backend: string | undefined;
}

/** What a stage gets: its resolved config (absolute paths) and the ways to report. */
export interface StageRun<C> extends StageContext {
  readonly config: C;
  readonly flags: CommonFlags;
  readonly invocation: Invocation;
}

/** What a stage gives back. Printed as the path on one line, or as this object with `--json`. */
export interface StageResult {
  /** The directory (or file) written, absolute; absent where nothing is written. */
  readonly path?: string;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** What a person reads on stdout instead of the path, when the stage's result is a text (inspect, doctor, tables). */
  readonly text?: string;
  readonly [key: string]: unknown;
}

/** A flag of one stage: the config key it sets and how its value is read. */
export interface StageFlag {
  /** Config key, with dots where nested. */
  readonly key: string;
  readonly describe: string;
  readonly type: 'string' | 'number' | 'boolean' | 'strings';
  /** `-` stands for the path (or `--json` line) that a previous stage writes to stdin. */
  readonly stdin?: boolean;
}

/** An argument without a name: `recsys inspect <dir>`. */
export interface Positional {
  readonly name: string;
  readonly describe: string;
  /** The config key it sets; `'--config'` where the argument is the stage's YAML. */
  readonly key: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
}

/**
 * A stage: a schema for its YAML and a function of plain options. `recsys <name>` and `recsys run` call the same `run`.
 *
 * `flags` maps a command-line flag to the config key it sets (`{ data: { key: 'data', … } }` gives `--data`); flags win
 * over the YAML. `--seed` and `--backend` set the config keys of that name where the schema has them.
 */
export interface StageDefinition<S extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly describe: string;
  readonly schema: S;
  readonly flags: Readonly<Record<string, StageFlag>>;
  readonly positionals?: readonly Positional[];
  /** Default of --out, relative to the working directory; absent where the stage writes no directory. */
  readonly defaultOut?: string;
  /** True where an interrupted run leaves something for `--resume` to go on from. */
  readonly resumes?: boolean;
  /** True where the stage reads `--set` itself, from `invocation.sets`. */
  readonly ownSets?: boolean;
  run(run: StageRun<z.output<S>>): Promise<StageResult>;
}

export function defineStage<S extends z.ZodType>(definition: StageDefinition<S>): StageDefinition<S> {
  return definition;
}

/** The commands of a table with those below them, by their last word. */
export function allCommands(commands: CommandTable): CommandTable {
  return Object.assign({}, ...Object.values(commands).map((one) => one.commands), commands);
}

/** Whether a stage has a setting of this name, or hands it on to others. */
export function takes(stage: StageDefinition, key: string): boolean {
  const keys = (stage.schema as { shape?: Readonly<Record<string, unknown>> }).shape ?? {};
  return stage.ownSets === true || Object.hasOwn(keys, key);
}

/** How a setting is given on the command line: `<dir>`, `--data`; undefined where `--set` alone does. */
export function asArgument({ positionals = [], flags }: StageDefinition, key: string): string | undefined {
  const positional = positionals.find((one) => one.key === key);
  if (positional !== undefined) return `<${positional.name}>`;
  const flag = Object.entries(flags).find(([, one]) => one.key === key);
  return flag === undefined ? undefined : `--${flag[0]}`;
}
