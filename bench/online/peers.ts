import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Result } from './learner.js';

/** Runs a peer's script (bench/foreign/) on a stream's file: one result a line of its output. */
export function runPeer(python: string, script: string, ...args: readonly string[]): Result[] {
  const path = fileURLToPath(new URL(`../foreign/${script}`, import.meta.url));
  const { status, stdout, error } = spawnSync(python, [path, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${script} failed${error ? `: ${error.message}` : ''}`);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Result);
}
