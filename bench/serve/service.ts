import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const BINARY = join(import.meta.dirname, '..', '..', 'bin', 'recsys.js');

export interface Served {
  readonly url: string;
  /** From the start of the process to the first answer. */
  readonly seconds: number;
  /** What it logged, as it comes. */
  readonly log: readonly string[];
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts the built service; resolves when it answers requests. */
export async function startServed(
  model: string,
  state: string,
  settings: readonly string[] = [],
): Promise<Served> {
  const ready = `${state}.ready.json`;
  rmSync(ready, { force: true });
  const began = performance.now();
  const sets = settings.flatMap((one) => ['--set', one]);
  const args = ['--model', model, '--state', state, '--port', '0', '--ready-file', ready, ...sets];
  const child = spawn(process.execPath, [BINARY, 'serve-online', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log: string[] = [];
  child.stderr.on('data', (chunk) => log.push(String(chunk)));
  while (!existsSync(ready)) {
    if (child.exitCode !== null) throw new Error(log.join(''));
    await sleep(10);
  }
  const { url } = JSON.parse(readFileSync(ready, 'utf8')) as { url: string };
  return {
    url,
    seconds: (performance.now() - began) / 1000,
    log,
    async stop(signal = 'SIGTERM') {
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
  };
}
