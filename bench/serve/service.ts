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
  /** Seconds of processor time since its start; NaN where the system does not say. */
  cpu(): number;
  /** What it logged, as it comes. */
  readonly log: readonly string[];
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts the built service; resolves when it answers requests. */
export async function startServed(
  model: string,
  state: string,
  settings: readonly string[] = [],
  /** Flags of Node, such as `--cpu-prof`. */
  node: readonly string[] = [],
): Promise<Served> {
  const ready = `${state}.ready.json`;
  rmSync(ready, { force: true });
  const began = performance.now();
  const sets = settings.flatMap((one) => ['--set', one]);
  const args = ['--model', model, '--state', state, '--port', '0', '--ready-file', ready, ...sets];
  const child = spawn(process.execPath, [...node, BINARY, 'serve-online', ...args], {
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
    cpu: () => cpuOf(child.pid!),
    async stop(signal = 'SIGTERM') {
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
  };
}

const TICKS = 100;

function cpuOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return Number.NaN;
  }
}
