import type { z } from 'zod';
import type { StageContext } from '../types.js';

/** The flags every stage has, after parsing. */
export interface CommonFlags {
  readonly out: string | undefined;
  readonly seed: number | undefined;
  readonly resume: boolean;
  readonly force: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** What a stage gets: its resolved config (absolute paths) and the ways to report. */
export interface StageRun<C> extends StageContext {
  readonly config: C;
  readonly flags: CommonFlags;
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

/**
 * A stage: a schema for its YAML and a function of plain options. `recsys <name>` and `recsys run` call the same `run`.
 *
 * `flags` maps a command-line flag to the config key it sets (`{ data: 'data' }` gives `--data`); flags win over the YAML.
 */
export interface StageDefinition<S extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly describe: string;
  readonly schema: S;
  readonly flags: Readonly<Record<string, { key: string; describe: string; type: 'string' | 'number' | 'boolean' | 'strings'; stdin?: boolean }>>;
  /** Default of --out, relative to the working directory; absent where the stage writes no directory. */
  readonly defaultOut?: string;
  run(run: StageRun<z.output<S>>): Promise<StageResult>;
}

export function defineStage<S extends z.ZodType>(definition: StageDefinition<S>): StageDefinition<S> {
  return definition;
}
