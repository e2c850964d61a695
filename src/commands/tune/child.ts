import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Row } from './score.js';

/** How the process of a trial ended. */
export interface Ended {
  /** What it said was wrong, or how it was ended; undefined where it ended well. */
  readonly error?: TrialError;
}
export interface TrialError {
  readonly code: string;
  readonly message: string;
  readonly remedy?: string | undefined;
}

export interface ChildOptions {
  readonly cwd: string;
  /** File that its stderr is appended to. */
  readonly log: string;
  /** Called with each epoch it has trained; true asks it to stop. */
  onEpoch(row: Row): boolean;
  readonly signal: AbortSignal;
}

/** An epoch's line of the log: its row, rounded, among the logger's own fields. */
const epochLine = z.looseObject({ epoch: z.number(), learningRate: z.number() });
const errorLine = z.object({
  error: z.object({ code: z.string(), message: z.string(), remedy: z.string().optional() }),
});

/**
 * Runs a command of this program in a process of its own.
 *
 * The two are connected by a channel that carries nothing: hanging up asks the child to stop at its next safe point, and
 * the end of this process, however it comes, hangs up too. No trial outlives its search.
 */
export async function runChild(args: readonly string[], options: ChildOptions): Promise<Ended> {
  const child = spawn(process.execPath, [...ownArguments(), ...args], {
    cwd: options.cwd,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const stop = (): void => {
    if (child.connected) child.disconnect();
  };
  options.signal.addEventListener('abort', stop);
  if (options.signal.aborted) stop();
  const log = createWriteStream(options.log, { flags: 'a' });
  // A log that can't be written (a full disk) must not end the search: the child says so itself.
  log.on('error', () => {});
  let said: TrialError | undefined;
  try {
    const ended = endOf(child);
    for await (const line of createInterface({ input: child.stderr! })) {
      log.write(`${line}\n`);
      const value = jsonOf(line);
      const row = epochLine.safeParse(value);
      if (row.success && options.onEpoch(numbersOf(row.data))) stop();
      said = errorLine.safeParse(value).data?.error ?? said;
    }
    const unexpected = await ended;
    const error = unexpected === undefined ? undefined : (said ?? unexpected);
    return error === undefined ? {} : { error };
  } finally {
    options.signal.removeEventListener('abort', stop);
    stop();
    log.end();
  }
}

/** How a process ended; undefined where it ended well. Not by `close`, which does not come once the channel was hung up. */
function endOf(child: ChildProcess): Promise<TrialError | undefined> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 'ENVIRONMENT', message: error.message }));
    child.once('exit', (code, signal) => {
      if (code === 0) return resolve(undefined);
      const how = signal === null ? `with status ${code}` : `by ${signal}`;
      resolve({ code: 'ENVIRONMENT', message: `its process was ended ${how}` });
    });
  });
}

/** This program as it was started (module loaders and memory limits too), without its command. */
export function ownArguments(): string[] {
  return [...process.execArgv.filter((argument) => !argument.startsWith('--inspect')), process.argv[1]!];
}

function jsonOf(line: string): unknown {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** A row without what the logger adds. */
function numbersOf(fields: Readonly<Record<string, unknown>>): Row {
  const own = Object.entries(fields).filter(([key]) => !['level', 'time', 'msg'].includes(key));
  return Object.fromEntries(own.map(([key, value]) => [key, typeof value === 'number' ? value : Number.NaN]));
}
